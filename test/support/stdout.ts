/** What `work` writes to stdout, which goes nowhere else meanwhile. */
export function stdoutOf(work: () => void): string {
  const write = process.stdout.write.bind(process.stdout);
  let written = "";
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    written += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  };
  try {
    work();
  } finally {
    process.stdout.write = write;
  }
  return written;
}

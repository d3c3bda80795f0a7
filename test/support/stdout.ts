/** What `work` writes to stdout, which goes nowhere else meanwhile. */
export function stdoutOf(work: () => void): string {
  const { stdout } = process;
  const before = Object.getOwnPropertyDescriptor(stdout, "write");
  let written = "";
  stdout.write = (chunk: string | Uint8Array): boolean => {
    written += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  };
  try {
    work();
  } finally {
    // Mostly the method is the stream's by inheritance.
    if (before === undefined) Reflect.deleteProperty(stdout, "write");
    else Object.defineProperty(stdout, "write", before);
  }
  return written;
}

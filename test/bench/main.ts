import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";
import { printTimings } from "./timings.ts";
import { timeProcesses } from "./whole-process.ts";

/** `npm run bench`: the whole action process, and then the library, each against a floor in one run, as a ratio. */

const RUNS = Number(process.env["BENCH_RUNS"] ?? 40);

/** The library in a process of its own, so that the server's work and heap stay out of what is measured. */
async function benchLibrary(server: ScmServer): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-bench-"));
  try {
    const ca = join(folder, "ca.pem");
    await writeFile(ca, server.ca);
    const child = spawn(
      process.execPath,
      ["--expose-gc", fileURLToPath(new URL("library.ts", import.meta.url)), String(RUNS)],
      {
        env: {
          PATH: process.env["PATH"],
          NODE_EXTRA_CA_CERTS: ca,
          SCM_CLIENT_ID: server.clientId,
          SCM_CLIENT_SECRET: server.clientSecret,
          SCM_TSG_ID: server.tsgId,
          SCM_TOKEN_URL: server.tokenUrl,
        },
        stdio: ["ignore", "inherit", "inherit"],
      },
    );
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`the library's benchmark ended with ${String(code)}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const server = await startScmServer();
try {
  const scripts = { floor: "test/bench/floor.cjs", action: "dist/action/main.cjs" };
  const timings = await timeProcesses(scripts, server, RUNS);
  console.log(`node ${process.version}, ${RUNS} runs each in turn; the ratio is taken run by run.`);
  printTimings("The action, whole process over TLS, in ms", timings);
  await benchLibrary(server);
} finally {
  await server.close();
}

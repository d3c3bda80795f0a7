import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScmServer } from "../support/scm-server.ts";
import { inTurn, timed, type Timings } from "./timings.ts";

/**
 * Wall times of whole processes in milliseconds, each run as a step of a job that signs in at `server`.
 *
 * @param scripts - path of a script by the name of its row
 * @throws when a run does not end with exit code 0
 */
export async function timeProcesses(
  scripts: Readonly<Record<string, string>>,
  server: ScmServer,
  runs: number,
): Promise<Timings> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-bench-"));
  const ca = join(folder, "ca.pem");
  await writeFile(ca, server.ca);
  const output = join(folder, "output");
  const env = {
    PATH: process.env["PATH"],
    GITHUB_OUTPUT: output,
    "INPUT_CLIENT-ID": server.clientId,
    "INPUT_CLIENT-SECRET": server.clientSecret,
    "INPUT_TSG-ID": server.tsgId,
    "INPUT_TOKEN-URL": server.tokenUrl,
    "INPUT_JWKS-URL": server.jwksUrl,
    "INPUT_CA-CERT": ca,
  };
  const step = (name: string, script: string) => async (): Promise<number> => {
    await writeFile(output, "");
    return timed(async () => {
      const child = spawn(process.execPath, [script], { env, stdio: ["ignore", "pipe", "inherit"] });
      child.stdout.resume();
      const [code] = (await once(child, "close")) as [number | null];
      if (code !== 0) throw new Error(`${name} ended with ${String(code)}`);
    });
  };
  try {
    const works = Object.fromEntries(Object.entries(scripts).map(([name, script]) => [name, step(name, script)]));
    // The first round warms the machine's caches.
    return await inTurn(works, runs, 1);
  } finally {
    await rm(folder, { recursive: true });
  }
}

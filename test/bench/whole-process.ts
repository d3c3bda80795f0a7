import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScmServer } from "../support/scm-server.ts";

/** Wall times of whole processes, in milliseconds, one entry a run. */
export type Timings = Readonly<Record<string, readonly number[]>>;

/**
 * Runs scripts in turn (A B C A B C ...), so that a machine whose speed drifts drifts for all of them alike,
 * each as a step of a job that signs in at `server`.
 *
 * @param scripts - path of a script by the name of its row
 * @throws when a run does not end with exit code 0
 */
export async function timeInTurn(
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
  const timings: Record<string, number[]> = Object.fromEntries(Object.keys(scripts).map((name) => [name, []]));
  try {
    // The first round warms caches and is not counted.
    for (let run = -1; run < runs; run++) {
      for (const [name, script] of Object.entries(scripts)) {
        await writeFile(output, "");
        const start = performance.now();
        const child = spawn(process.execPath, [script], { env, stdio: ["ignore", "pipe", "inherit"] });
        child.stdout.resume();
        const [code] = (await once(child, "close")) as [number | null];
        const took = performance.now() - start;
        if (code !== 0) throw new Error(`${name} ended with ${String(code)}`);
        if (run >= 0) timings[name]?.push(took);
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return timings;
}

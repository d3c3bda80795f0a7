import { once } from "node:events";
import { spawn } from "./searched-process.ts";

/** How a program ended, and all that it wrote on either stream. */
export interface Ended {
  readonly code: number | null;
  readonly text: string;
}

/** No program of a test takes longer, in milliseconds. */
const PATIENCE = 20_000;

/**
 * Runs a small program in a process of its own, with the library's exports in scope.
 *
 * @param program - the source of an ES module, without imports of the library
 * @param env - added to this process's environment
 */
export async function runProgram(program: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const index = new URL("../../shared/index.ts", import.meta.url).href;
  const source = `import { ApiError, AuthError, AuthRequest, OAuth2Client } from ${JSON.stringify(index)};\n${program}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    // Not the test runner's own mark, or what the program writes would be read as a report.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    timeout: PATIENCE,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text };
}

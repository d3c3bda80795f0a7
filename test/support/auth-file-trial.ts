import assert from "node:assert/strict";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AuthFileHarness, readAuthFileJson } from "./auth-file-harness.ts";
import type { ActionOptions } from "./run-action.ts";
import type { ScmServer } from "./scm-server.ts";
import { readClaims } from "./tokens.ts";

/** A job whose first step has written an auth file. */
export interface RunningTrial {
  readonly server: ScmServer;
  readonly path: string;
  /** The process ID of the refresher. */
  readonly pid: number;
  /** Aborted when the job ends. */
  readonly end: AbortSignal;
}

type CleanUp = () => Promise<unknown>;
/** Prepares a job and returns the inputs and variables of its first step. `after` registers what to do after the job. */
export type Prepare = (
  harness: AuthFileHarness,
  after: (cleanUp: CleanUp) => void,
) => Promise<Pick<ActionOptions, "inputs" | "env">>;

/** A job during which something happens. */
export interface Trial {
  readonly name: string;
  readonly skip?: string | false;
  readonly prepare?: Prepare;
  readonly run?: (trial: RunningTrial) => unknown;
  /** The warning of the post step. Default: there is none, because the file always contains a valid token. */
  readonly warning?: RegExp;
}

/** The tolerance for a date in a warning, in seconds. Providers stop using a token before it expires. */
const DATE_TOLERANCE = 3;

/**
 * Runs a job for `durationMs` and looks at the token in its auth file. Asserts that the server issued each token, and
 * that the file always contained a valid token or that the post step warns since when it did not.
 */
export async function runTrial(trial: Trial, { ttl, durationMs }: { ttl: number; durationMs: number }): Promise<void> {
  const harness = await AuthFileHarness.start({ ttl });
  const cleanUps: CleanUp[] = [() => harness.close()];
  const after = (cleanUp: CleanUp): void => {
    cleanUps.push(cleanUp);
  };
  try {
    const { inputs, env = {} } = (await trial.prepare?.(harness, after)) ?? {};
    const main = await harness.signIn(inputs, { env, timeoutMs: 60_000 });
    assert.equal(main.exitCode, 0, main.log);
    const { pid } = await harness.findRefresher();
    const path = main.outputs["auth-file"] ?? "";
    const running = { server: harness.server, path, pid, end: AbortSignal.timeout(durationMs) };
    const [{ tokens, expired }] = await Promise.all([watch(running), trial.run?.(running)]);
    const post = await harness.post(main, { timeoutMs: 60_000 });
    assert.equal(post.exitCode, 0);
    assert.deepEqual(await harness.listFiles(dirname(path)), [], "the post step removes the file");
    const messages = post.annotations.map(({ message }) => message);
    if (trial.warning === undefined) {
      assert.deepEqual([expired, messages], [undefined, []]);
      assert.ok(tokens > durationMs / 1000 / ttl, `${tokens} tokens`);
    } else {
      assert.ok(expired, "an expired token");
      const [message = "", ...more] = messages;
      assert.deepEqual(more, []);
      assert.match(message, trial.warning);
      const since = Date.parse(/20\d\d-\S+Z/.exec(message)?.[0] ?? "") / 1000;
      assert.ok(Math.abs(since - readClaims(expired).exp) <= DATE_TOLERANCE, message);
    }
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  }
}

/** Looks at the token in the file until the job ends. Returns the number of tokens, and the first one that had expired. */
async function watch({ path, server, end }: RunningTrial) {
  const tokens = new Set<string>();
  let expired: string | undefined;
  while (!end.aborted) {
    const { jwt } = await readAuthFileJson(path);
    if (!tokens.has(jwt)) assert.ok(server.issued.includes(jwt), "the server did not issue the token");
    tokens.add(jwt);
    if (readClaims(jwt).exp * 1000 <= Date.now()) expired ??= jwt;
    await delay(100);
  }
  return { tokens: tokens.size, expired };
}

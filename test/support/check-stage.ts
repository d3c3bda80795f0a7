import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { runCheck, type CheckPart } from "../../action/check/run-check.ts";
import { Runner } from "../../action/runner.ts";
import type { AuthRequest } from "../../shared/index.ts";
import { assertNoCanary, tokenCanaries } from "./canaries.ts";
import { readSummary, type CheckSummary } from "./check-summary.ts";
import { setVariables } from "./variables.ts";

/** What became of a check. */
export interface CheckRun {
  readonly summary: CheckSummary;
  /** Raw. */
  readonly markdown: string;
  /** What was said in the log. */
  readonly log: string;
  /** What the check threw; undefined when it went well. */
  readonly error: unknown;
}

/** A runner that writes nothing to this process's stdout, over which the test itself is reported. */
class HeardRunner extends Runner {
  readonly said: string[] = [];
  readonly masked: string[] = [];

  override say(text: string): void {
    this.said.push(this.redactor.redact(text));
  }

  override debug(text: string): void {
    this.say(text);
  }

  override warning(text: string): void {
    this.say(text);
  }

  override mask(...secrets: readonly string[]): void {
    for (const secret of secrets) this.redactor.add(secret);
    this.masked.push(...secrets);
  }

  override flush(): Promise<void> {
    return Promise.resolve();
  }
}

/** Runs a check as a step would, and looks in all that it tells for the secret and for every token that was masked. */
export async function check(
  t: Pick<TestContext, "after">,
  request: AuthRequest,
  part: Partial<Omit<CheckPart, "runner" | "request">> = {},
): Promise<CheckRun> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-check-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "summary.md");
  await writeFile(file, "");
  setVariables(t as TestContext, { GITHUB_STEP_SUMMARY: file });
  const runner = new HeardRunner();
  runner.mask(request.clientSecret);
  const error = await runCheck({
    runner,
    request,
    options: { verify: true, policy: { maxRetries: 0, backoff: 0.01, spreadOverload: false }, timeout: 10 },
    signal: new AbortController().signal,
    env: {},
    ...part,
  }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const markdown = await readFile(file, "utf8");
  const log = runner.said.join("\n");
  assertNoCanary(
    runner.masked.flatMap((secret) => [...tokenCanaries(secret)]),
    { "the summary": markdown, "the log": log },
  );
  return { summary: readSummary(markdown), markdown, log, error };
}

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { explainMissingSecret } from "../../action/pull-request.ts";
import { runProcess } from "../support/processes.ts";
import { createTempDir } from "../support/temp-dir.ts";

const repository = { full_name: "org/repo" };
const createEvent = (repo: unknown): object => ({ pull_request: { head: { repo } }, repository });
const fork = createEvent({ full_name: "me/repo" });

const createEnv = (GITHUB_EVENT_NAME: string, GITHUB_ACTOR: string, GITHUB_EVENT_PATH: string) => ({
  GITHUB_EVENT_NAME,
  GITHUB_ACTOR,
  GITHUB_EVENT_PATH,
});

const cases: readonly (readonly [run: string, event: string, actor: string, payload: unknown, reason: RegExp | undefined])[] = [
  ["a push", "push", "octocat", { repository }, undefined],
  ["a push by Dependabot", "push", "dependabot[bot]", { repository }, /Dependabot/],
  ["a pull request from Dependabot", "pull_request", "dependabot[bot]", createEvent(repository), /Dependabot/],
  ["a pull request from a branch", "pull_request", "octocat", createEvent(repository), undefined],
  ["a pull request from a fork", "pull_request", "octocat", fork, /fork/],
  ["a pull request from a deleted fork", "pull_request", "octocat", createEvent(null), /fork/],
  ["a review of a pull request from a fork", "pull_request_review", "octocat", fork, /fork/],
  ["pull_request_target from a fork", "pull_request_target", "octocat", fork, undefined],
  ["another event whose payload contains a fork", "workflow_run", "octocat", fork, undefined],
  ["a pull request without a head", "pull_request", "octocat", { repository, pull_request: {} }, undefined],
  ["an event payload that is null", "pull_request", "octocat", null, undefined],
  ["an actor named like Dependabot", "push", "dependabot", { repository }, undefined],
]; // prettier-ignore
for (const [run, eventName, actor, payload, reason] of cases) {
  test(`GitHub ${reason ? "withholds secrets from" : "passes secrets to"} ${run}`, async (t) => {
    const eventPath = join(await createTempDir(t), "event.json");
    await writeFile(eventPath, JSON.stringify(payload));
    const { message } = explainMissingSecret(createEnv(eventName, actor, eventPath));
    if (reason) assert.match(message, reason);
    else assert.equal(message, "is required");
  });
}

test("the hint for forks suggests a condition that skips the job only for forks", async (t) => {
  const eventPath = join(await createTempDir(t), "event.json");
  await writeFile(eventPath, JSON.stringify(fork));
  const { hint } = explainMissingSecret(createEnv("pull_request", "octocat", eventPath));
  assert.match(hint, /`if: \$\{\{ !github\.event\.pull_request\.head\.repo\.fork \}\}`/);
});

test("gives no reason if the event file is missing or not JSON", async (t) => {
  const eventPath = join(await createTempDir(t), "event.json");
  await writeFile(eventPath, "{");
  for (const path of ["", eventPath])
    assert.equal(explainMissingSecret(createEnv("pull_request", "octocat", path)).message, "is required");
});

test(
  "gives no reason if the event file is a FIFO that no process writes",
  { skip: process.platform === "win32" },
  async (t) => {
    const fifo = join(await createTempDir(t), "fifo");
    assert.equal((await runProcess("mkfifo", [fifo])).exitCode, 0);
    const script = `
    import { explainMissingSecret } from ${JSON.stringify(new URL("../../action/pull-request.ts", import.meta.url).href)};
    console.log(explainMissingSecret(process.env).message);`;
    const env = { ...process.env, ...createEnv("pull_request", "octocat", fifo) };
    const { stdout } = await runProcess(process.execPath, ["--input-type=module", "--eval", script], { env });
    assert.equal(stdout, "is required\n");
  },
);

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { whyNoSecrets } from "../../action/pull-request.ts";
import * as fc from "../support/fuzzing.ts";

const folder = await mkdtemp(join(tmpdir(), "scm-auth-event-"));
after(() => rm(folder, { recursive: true }));

const repository = { full_name: "org/repo" };
const from = (repo: unknown): object => ({ pull_request: { head: { repo } }, repository });
const fork = from({ full_name: "me/repo" });

/** Which runs get no secrets, and who is to blame. */
const scenes: readonly (readonly [what: string, event: string, actor: string, payload: unknown, because: RegExp | undefined])[] = [
  ["a push", "push", "octocat", { repository }, undefined],
  ["a push by Dependabot", "push", "dependabot[bot]", { repository }, /Dependabot/],
  ["a pull request by Dependabot", "pull_request", "dependabot[bot]", from(repository), /Dependabot/],
  ["a pull request of a branch", "pull_request", "octocat", from(repository), undefined],
  ["a pull request from a fork", "pull_request", "octocat", fork, /fork/],
  ["a pull request from a fork that is gone", "pull_request", "octocat", from(null), /fork/],
  ["a review of a pull request from a fork", "pull_request_review", "octocat", fork, /fork/],
  ["a comment on one", "pull_request_review_comment", "octocat", fork, /fork/],
  ["pull_request_target, which gets secrets", "pull_request_target", "octocat", fork, undefined],
  ["another event with the same payload", "workflow_run", "octocat", fork, undefined],
  ["a pull request without a head", "pull_request", "octocat", { repository, pull_request: {} }, undefined],
  ["an event that is null", "pull_request", "octocat", null, undefined],
  ["an actor who is called alike", "push", "dependabot", { repository }, undefined],
]; // prettier-ignore
for (const [what, eventName, actor, payload, because] of scenes) {
  test(`secrets are ${because ? "withheld from" : "given to"} ${what}`, async () => {
    const eventPath = join(folder, "event.json");
    await writeFile(eventPath, JSON.stringify(payload));
    const reason = whyNoSecrets({ eventName, actor, eventPath });
    if (because) {
      assert.match(reason?.because ?? "", because);
      assert.match(reason?.hint ?? "", /^[A-Z].*\.$/);
    } else assert.equal(reason, undefined);
  });
}

test("an event that can't be read is no reason", async () => {
  assert.equal(whyNoSecrets({ eventName: "pull_request", actor: "", eventPath: "" }), undefined);
  const eventPath = join(folder, "broken.json");
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (text) => {
      await writeFile(eventPath, text);
      assert.equal(whyNoSecrets({ eventName: "pull_request", actor: "octocat", eventPath }), undefined);
    }),
    { numRuns: 50 },
  );
});

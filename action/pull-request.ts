import { readFileSync, statSync } from "node:fs";
import type { Environment } from "../shared/environment.ts";
import type { ConfigIssue } from "../shared/errors.ts";

/**
 * Explains why the client secret is missing and what to do. The blank input does not reveal that GitHub withholds
 * secrets from this run (GitHub docs, "Using secrets in GitHub Actions"), and no variable reveals that a pull request
 * comes from a fork.
 */
export function explainMissingSecret(env: Environment): Pick<ConfigIssue, "message" | "hint"> {
  const { GITHUB_EVENT_NAME = "", GITHUB_ACTOR, GITHUB_EVENT_PATH = "" } = env;
  if (GITHUB_ACTOR === "dependabot[bot]") {
    return {
      message: "is required: Dependabot started this run, and such runs only get Dependabot secrets",
      hint: "Add the secret under Settings, Secrets and variables, Dependabot as well, or skip this job for Dependabot.",
    };
  }
  // Runs triggered by `pull_request_target` receive secrets.
  if (/^pull_request(?!_target)/.test(GITHUB_EVENT_NAME) && isFromFork(GITHUB_EVENT_PATH)) {
    return {
      message: "is required: this pull request comes from a fork, and GitHub passes no secrets to such runs",
      // Unlike a comparison of repository names, this condition is also true for events without a pull request.
      hint: "Skip this job for forks with `if: ${{ !github.event.pull_request.head.repo.fork }}`, or run it after the merge.",
    };
  }
  return {
    message: "is required",
    hint: "Check that the secret name matches the repository settings. An environment secret requires `environment:` on the job, and a reusable workflow requires `secrets: inherit`.",
  };
}

interface PullRequestEvent {
  readonly pull_request?: { readonly head?: { readonly repo?: { readonly full_name?: string } | null } };
  readonly repository?: { readonly full_name?: string };
}

function isFromFork(eventPath: string): boolean {
  try {
    // Reading a FIFO might never end.
    if (!statSync(eventPath).isFile()) return false;
    const { pull_request, repository } = JSON.parse(readFileSync(eventPath, "utf8")) as PullRequestEvent;
    // `repo` is null if the fork was deleted.
    return pull_request?.head !== undefined && pull_request.head.repo?.full_name !== repository?.full_name;
  } catch {
    return false;
  }
}

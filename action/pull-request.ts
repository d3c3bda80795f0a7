import { readFileSync } from "node:fs";

/** What the runner says about the event, and the file with the event as JSON. */
interface EventContext {
  readonly eventName: string;
  readonly actor: string;
  readonly eventPath: string;
}

/** Why GitHub passes no secrets to this run, and what to do about it. */
interface MissingSecrets {
  readonly reason: string;
  readonly hint: string;
}

/**
 * Whether GitHub withholds secrets from this run (GitHub docs, "Using secrets in GitHub Actions"). No environment
 * variable says that a pull request comes from a fork, so the event is read.
 *
 * @returns undefined if the run should have secrets
 */
export function getMissingSecretsReason({ eventName, actor, eventPath }: EventContext): MissingSecrets | undefined {
  if (actor === "dependabot[bot]") {
    return {
      reason: "Dependabot started this run, and such runs only get Dependabot secrets",
      hint: "Add the secret under Settings, Secrets and variables, Dependabot as well, or skip this job for Dependabot.",
    };
  }
  // Runs of pull_request_target get secrets.
  if (/^pull_request(?!_target)/.test(eventName) && isFromFork(eventPath)) {
    return {
      reason: "this pull request comes from a fork, and GitHub passes no secrets to such runs",
      // Unlike a comparison of repository names, this is also true for events without a pull request.
      hint: "Skip this job for forks with `if: ${{ !github.event.pull_request.head.repo.fork }}`, or run it after the merge.",
    };
  }
  return undefined;
}

interface PullRequestEvent {
  readonly pull_request?: { readonly head?: { readonly repo?: { readonly full_name?: string } | null } };
  readonly repository?: { readonly full_name?: string };
}

function isFromFork(eventPath: string): boolean {
  try {
    const { pull_request, repository } = JSON.parse(readFileSync(eventPath, "utf8")) as PullRequestEvent;
    // `repo` is null if the fork was deleted.
    return pull_request?.head !== undefined && pull_request.head.repo?.full_name !== repository?.full_name;
  } catch {
    return false;
  }
}

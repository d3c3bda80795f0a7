import { readFileSync } from "node:fs";

/** The variables and the event file by which a run can be told to get no secrets. */
interface Surroundings {
  readonly eventName: string;
  readonly actor: string;
  /** Path of the event's JSON. */
  readonly eventPath: string;
}

/** Why a run gets no secrets, and what its author can do. */
interface NoSecrets {
  readonly because: string;
  readonly hint: string;
}

/**
 * Why GitHub gives this run no secrets; undefined when it should have them. No variable tells of a fork, so
 * the event is read (GitHub docs, "Events that trigger workflows": pull_request).
 */
export function whyNoSecrets({ eventName, actor, eventPath }: Surroundings): NoSecrets | undefined {
  if (actor === "dependabot[bot]") {
    return {
      because: "this run is by Dependabot, which gets Dependabot secrets only",
      hint: "Add the secret under Settings, Secrets and variables, Dependabot too, or skip this job for Dependabot.",
    };
  }
  if (/^pull_request(?!_target)/.test(eventName) && isFromFork(eventPath)) {
    return {
      because: "this pull request comes from a fork, and GitHub gives such runs no secrets",
      hint: "Skip this job for forks (if: github.event.pull_request.head.repo.full_name == github.repository), or run it after the merge.",
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
    // A deleted fork leaves null.
    return pull_request?.head !== undefined && pull_request.head.repo?.full_name !== repository?.full_name;
  } catch {
    return false;
  }
}

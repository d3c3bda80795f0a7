import { preload } from "./cast.ts";
import { fails, refuses, signsIn, type Scene, type Told } from "./scene.ts";

/** A pull request's event, as far as it is looked at. */
const pullRequest = (head: object, name = "pull_request", actor = "octocat") => ({
  name,
  actor,
  payload: { pull_request: { head }, repository: { full_name: "octo-org/firewall" } },
});
const FORK = { repo: { full_name: "someone/firewall" } };
const FROM_FORK: Told = ["client-secret is missing: this pull request comes from a fork", "Skip this job for forks"];
const DEPENDABOT: Told = [
  "client-secret is missing: this run is by Dependabot",
  "Settings, Secrets and variables, Dependabot",
];
const PLAIN: Told = ["client-secret is missing or blank.", /`environment:` on the job.*`secrets: inherit`/];

const EVENTS: readonly (readonly [what: string, event: NonNullable<Scene["event"]>, told: Told])[] = [
  ["a push", { name: "push" }, PLAIN],
  ["a pull request from a fork", pullRequest(FORK), FROM_FORK],
  ["a pull request from a fork that is gone", pullRequest({ repo: null }), FROM_FORK],
  ["a review of a fork's pull request", pullRequest(FORK, "pull_request_review"), FROM_FORK],
  ["a comment in a review of a fork's pull request", pullRequest(FORK, "pull_request_review_comment"), FROM_FORK],
  ["a pull request of the repository's own", pullRequest({ repo: { full_name: "octo-org/firewall" } }), PLAIN],
  ["pull_request_target, which gets secrets", pullRequest(FORK, "pull_request_target"), PLAIN],
  ["Dependabot's push", { name: "push", actor: "dependabot[bot]" }, DEPENDABOT],
  [
    "Dependabot's pull request",
    pullRequest({ repo: { full_name: "octo-org/firewall" } }, "pull_request", "dependabot[bot]"),
    DEPENDABOT,
  ],
  ["an event that is empty", { name: "pull_request" }, PLAIN],
];

const events: readonly Scene[] = [
  ...EVENTS.map(([what, event, told]) => ({
    name: `a missing secret is explained on ${what}`,
    event,
    inputs: { "client-secret": "" },
    expect: refuses([told]),
  })),
  ...["not json", "null", "[]"].map((text) => ({
    name: `a missing secret is told also when the event file is ${text}`,
    event: { name: "pull_request" },
    files: { "event.json": text },
    env: ({ file }: { file: (name: string) => string }) => ({ GITHUB_EVENT_PATH: file("event.json") }),
    inputs: { "client-secret": "" },
    expect: refuses([PLAIN]),
  })),
  {
    name: "a missing secret is told also without an event file",
    event: { name: "pull_request" },
    env: { GITHUB_EVENT_PATH: undefined, GITHUB_EVENT_NAME: undefined, GITHUB_ACTOR: undefined },
    inputs: { "client-secret": "" },
    expect: refuses([PLAIN]),
  },
  {
    name: "a secret that is there needs no reason, also on a pull request from a fork",
    event: pullRequest(FORK),
    expect: signsIn(),
  },
];

const OUTPUTS = "GITHUB_OUTPUT";

const outputFiles: readonly Scene[] = [
  {
    name: "without GITHUB_OUTPUT nothing is asked for",
    env: { GITHUB_OUTPUT: undefined },
    expect: refuses([[OUTPUTS, /./]]),
  },
  { name: "a blank GITHUB_OUTPUT is none", env: { GITHUB_OUTPUT: "" }, expect: refuses([[OUTPUTS, /./]]) },
  {
    name: "a GITHUB_OUTPUT that does not exist is none",
    env: ({ file }) => ({ GITHUB_OUTPUT: file("missing") }),
    expect: refuses([[OUTPUTS, /./]]),
  },
  {
    name: "a GITHUB_OUTPUT that is a folder is none",
    env: ({ file }) => ({ GITHUB_OUTPUT: file(".") }),
    expect: refuses([[OUTPUTS, /./]]),
  },
  {
    name: "a full disk under GITHUB_OUTPUT is told, and the step fails",
    notOn: ["win32", "darwin"],
    env: { GITHUB_OUTPUT: "/dev/full" },
    expect: fails("output access-token could not be written", "is the disk full?", { token: 1, keys: 1 }),
  },
  {
    name: "a GITHUB_OUTPUT that vanishes during the run is told, and the step fails",
    env: ({ file }) => ({ GITHUB_OUTPUT: file("outputs"), NODE_OPTIONS: preload("lose-outputs") }),
    files: { outputs: "" },
    expect: fails("could not be written", /./, { token: 1, keys: [0, 1] }),
  },
];

/** What the job around the step has to do with it. */
export const surroundings: readonly Scene[] = [...events, ...outputFiles];

import { preload } from "../fixtures.ts";
import { BOTH_REQUESTS, fails, rejectsInputs, succeeds, type Scenario } from "../scenario.ts";

/** Creates a pull request event. */
const pullRequest = (name: string, repo: object | null, actor = "octocat") => ({
  ...{ name, actor },
  payload: { pull_request: { head: { repo } }, repository: { full_name: "octo-org/firewall" } },
});
const FORK = { full_name: "someone/firewall" };

const FROM_FORK = /client-secret is required: this pull request comes from a fork.*\n.*Skip this job for forks/;
const DEPENDABOT =
  /client-secret is required: Dependabot started this run.*\n.*Settings, Secrets and variables, Dependabot/;
const REQUIRED = /client-secret is required\.\n.*`environment:` on the job/;

const MISSING_SECRET: readonly (readonly [on: string, event: NonNullable<Scenario["event"]>, error: RegExp])[] = [
  ["a push", { name: "push" }, REQUIRED],
  ["a pull request from a fork", pullRequest("pull_request", FORK), FROM_FORK],
  ["a pull request from Dependabot", pullRequest("pull_request", FORK, "dependabot[bot]"), DEPENDABOT],
]; // prettier-ignore

const MAX_RETRIES = "INPUT_MAX-RETRIES";

export const environment: readonly Scenario[] = [
  ...MISSING_SECRET.map(([on, event, error]) => ({
    name: `explains a missing secret on ${on}`,
    event,
    inputs: { "client-secret": "" },
    expect: rejectsInputs(error),
  })),
  {
    name: "signs in on a pull request from a fork that has the secret",
    event: pullRequest("pull_request", FORK),
    expect: succeeds(),
  },
  {
    name: "explains that variables with hyphens are missing",
    env: { "INPUT_CLIENT-ID": undefined, "INPUT_TSG-ID": undefined, [MAX_RETRIES]: undefined },
    expect: rejectsInputs(/INPUT_MAX-RETRIES is not in the environment.*\n.*hyphen/),
  },
  {
    name: "sends no requests without GITHUB_OUTPUT",
    env: { GITHUB_OUTPUT: undefined },
    expect: rejectsInputs(/GITHUB_OUTPUT is not set/),
  },
  {
    name: "sends no requests if the GITHUB_OUTPUT file is missing",
    env: ({ file }) => ({ GITHUB_OUTPUT: file("missing") }),
    expect: rejectsInputs(/GITHUB_OUTPUT refers to is not writable \(ENOENT\)/),
  },
  {
    name: "fails if the disk is full when it writes the outputs",
    skipOn: ["darwin", "win32"],
    env: { GITHUB_OUTPUT: "/dev/full" },
    expect: fails(/output access-token cannot be written.*ENOSPC.*\n.*full/, BOTH_REQUESTS),
  },
  {
    name: "fails if the GITHUB_OUTPUT file is removed during the sign-in",
    env: ({ file }) => ({ GITHUB_OUTPUT: file("outputs"), NODE_OPTIONS: preload("remove-outputs") }),
    files: { outputs: "" },
    expect: fails(/cannot be written.*ENOENT/, { token: 1, jwks: [0, 1] }),
  },
];

import { preload } from "./cast.ts";
import { endsBy, fails, type Part, type Requests, type Scene } from "./scene.ts";

const EARLY: Requests = { token: [0, 1], keys: [0, 1] };
const REPORT = "Please report it with this line, the version and the runner's operating system.";

/** What is thrown: what is said of it. */
const THROWN: Readonly<Record<string, Part>> = {
  error: "unexpected failure: Error: boom",
  "error with the secret": "unexpected failure: Error: boom in ***",
  "error with a stack of the secret's": "unexpected failure: Error: boom",
  "error of several lines": /unexpected failure: Error: boom : ?:? ?error/,
  text: "unexpected failure: boom",
  nothing: "unexpected failure",
  null: "unexpected failure",
  "object without a prototype": "unexpected failure",
  "object that throws when it is read": "unexpected failure",
  "error that throws when it is read": "unexpected failure",
};

const thrown: readonly Scene[] = Object.entries(THROWN).flatMap(([what, cause]) =>
  [{}, { AS_REJECTION: "1" }].map((how) => ({
    name: `${"AS_REJECTION" in how ? "a rejection that nobody handles" : "a throw that nobody catches"} (${what}) is a failure with nothing handed out`,
    env: { NODE_OPTIONS: preload("throw"), THROWS: what, ...how },
    expect: fails(cause, REPORT, EARLY, { never: ["Signed in"] }),
  })),
);

/** Ends that nobody thought of. */
export const endings: readonly Scene[] = [
  ...thrown,
  {
    name: "an event loop that runs dry is a failure, and is told",
    env: { NODE_OPTIONS: preload("dry") },
    expect: fails("unexpected failure: Error: the work stopped before its end", REPORT, { token: 0, keys: 0 }),
  },
  ...[undefined, "0", "7"].map((code) => ({
    name: `a library that calls process.exit(${code ?? ""}) leaves the step red`,
    env: { NODE_OPTIONS: preload("exit"), EXIT_CODE: code },
    expect: fails("unexpected failure", REPORT, EARLY),
  })),
  ...(["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"] as const).map((signal) => ({
    name: `${signal} ends the step with nothing handed out`,
    notOn: ["win32" as const],
    env: { NODE_OPTIONS: preload("signal"), SENT_SIGNAL: signal },
    server: { keys: { hang: true as const } },
    expect: endsBy(signal),
  })),
  {
    name: "a runner that no longer reads gets no token that it could not mask",
    deafRunner: true,
    expect: { signed: "out", requests: EARLY },
  },
  {
    name: "a runner that no longer reads is no reason to go on for long",
    deafRunner: true,
    server: { token: { hang: true } },
    expect: { signed: "out", requests: EARLY, within: 4000 },
  },
];

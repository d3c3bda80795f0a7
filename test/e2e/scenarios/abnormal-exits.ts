import { preload } from "../fixtures.ts";
import { fails, type Pattern, type RequestCounts, type Scenario } from "../scenario.ts";

const FEW: RequestCounts = { token: [0, 1], jwks: [0, 1] };

/** The reported error, by the thrown value. */
const THROWN: Readonly<Record<string, Pattern>> = {
  error: /unexpected failure: Error: boom\n.*This is a bug/,
  "an error whose message contains the secret": /unexpected failure/,
  "an error whose message has several lines": /unexpected failure: Error: boom/,
  "an error whose message getter throws": /unexpected failure: unknown error/,
};

export const abnormalExits: readonly Scenario[] = [
  ...Object.entries(THROWN).map(([value, error]) => ({
    name: `fails on an uncaught exception: ${value}`,
    env: { NODE_OPTIONS: preload("throw"), THROWN: value },
    expect: fails(error, FEW, { notInLog: ["Signed in"] }),
  })),
  {
    name: "fails on an unhandled rejection",
    env: { NODE_OPTIONS: preload("throw"), THROWN: "error", AS_REJECTION: "1" },
    expect: fails(/unexpected failure: Error: boom/, FEW, { notInLog: ["Signed in"] }),
  },
  {
    name: "fails if the event loop becomes empty before the sign-in completes",
    env: { NODE_OPTIONS: preload("no-events") },
    expect: fails(/unexpected failure: Error: the process exited before completing/, FEW),
  },
  ...(["SIGTERM", "SIGKILL"] as const).map((signal) => ({
    name: `sets no outputs when it receives ${signal}`,
    skipOn: ["win32" as const],
    env: { NODE_OPTIONS: preload("signal"), SIGNAL: signal },
    server: { jwks: { hang: true as const } },
    expect: { outcome: signal, requests: FEW },
  })),
  {
    name: "sets no outputs when the runner no longer reads stdout",
    closeStdout: true,
    expect: { outcome: "failure", requests: FEW },
  },
  {
    name: "ends within the time limit when the runner no longer reads stdout and the server does not respond",
    closeStdout: true,
    server: { token: { hang: true } },
    expect: { outcome: "failure", requests: { token: [0, 2], jwks: [0, 2] }, maxMs: 30_000 },
  },
];

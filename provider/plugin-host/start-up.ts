import { ensureAuthFileFromArgs, type ProviderState } from "../auth-files.ts";
import { formatError } from "../error-message.ts";
import { hasCredentials } from "../sign-in-args.ts";
import { sleep, systemClock, type Milliseconds } from "../../shared/clock.ts";
import type { Environment } from "../../shared/environment.ts";
import { AuthError } from "../../shared/errors.ts";

/** The path of the auth file if SCM_AUTH_FILE is not set, relative to the program's directory. */
const DEFAULT_PATH = ".scm/auth.json";

/**
 * The longest time that the engine waits for the plugin. The engine itself has no limit. While it waits, it starts no
 * other plugin and does not react to an interruption.
 */
const MAX_WAIT: Milliseconds = 30_000;
/** The time after which a note says what the plugin is waiting for. */
const NOTE_AFTER: Milliseconds = 5000;

/** A reason why the auth file is not available. */
export interface StartFailure {
  /** What cannot be used, for a report on its own. */
  readonly subject: string;
  /** The cause and the hint, as the methods of resources report them. */
  readonly text: string;
}

/** The result of the start-up, which changes when a sign-in ends that took too long to wait for. */
export interface StartUp {
  /** Why there is no file with a valid token; undefined if there is one or if there are no credentials. */
  readonly failure: StartFailure | undefined;
}

/** Returns the path of the auth file that is ensured when the plugin starts. */
export function getStartPath({ SCM_AUTH_FILE: path = "" }: Environment): string {
  return path.trim() === "" ? DEFAULT_PATH : path;
}

/**
 * Ensures the auth file when the plugin starts, if the environment contains credentials. The engine configures the
 * `scm` provider after it has started the plugins of the resources before it in the state. This makes the file
 * available in operations that do not run the program, such as `refresh` and `destroy`.
 *
 * @param note - shows what takes so long
 */
export async function ensureAtStart(
  state: ProviderState,
  note: (message: string) => void,
  env: Environment = process.env,
): Promise<StartUp> {
  if (!hasCredentials({}, env)) return { failure: undefined };
  const path = getStartPath(env);
  const toFailure = (error: unknown): StartFailure => ({
    subject: `the auth file ${path} is not available`,
    text: formatError(error),
  });
  const startUp: { failure: StartFailure | undefined } = { failure: toFailure(createTimeoutError()) };
  const ensured = new AbortController();
  const settle = (failure?: StartFailure): void => {
    startUp.failure = failure;
    ensured.abort();
  };
  ensureAuthFileFromArgs({ path }, state).then(
    () => {
      settle();
    },
    (error: unknown) => {
      settle(toFailure(error));
    },
  );
  await sleep(systemClock, NOTE_AFTER, ensured.signal);
  if (!ensured.signal.aborted) note(`scm-auth: waiting for the auth server, to create the auth file ${path}`);
  // The resources of this process wait for the same sign-in.
  await sleep(systemClock, MAX_WAIT - NOTE_AFTER, ensured.signal);
  return startUp;
}

const createTimeoutError = (): AuthError =>
  new AuthError(`the sign-in did not complete within ${MAX_WAIT / 1000} s.`, {
    kind: "timeout",
    code: "response_timeout",
    hint: "Check the connection to the auth server, or run again.",
  });

import { ensureAuthFileFromArgs, type ProviderState } from "../auth-files.ts";
import { formatError } from "../error-message.ts";
import { hasSecret } from "../sign-in-args.ts";
import type { Environment } from "../../shared/environment.ts";

/** The path of the auth file if SCM_AUTH_FILE is not set, relative to the program's directory. */
export const DEFAULT_PATH = ".scm/auth.json";

/** A failure at start-up that has not been reported yet. */
export interface StartFailure {
  /** What cannot be used, for a report on its own. */
  readonly subject: string;
  /** The cause and the hint, as the methods of resources report them. */
  readonly text: string;
}

const isSet = (value: string | undefined): value is string => value !== undefined && value.trim() !== "";

/**
 * Ensures the auth file when the plugin starts, if the environment contains credentials. The engine configures the
 * `scm` provider after it has started the plugins of the resources before it in the state. This makes the file
 * available in operations that do not run the program, such as `refresh` and `destroy`.
 *
 * @returns why there is no file with a valid token; undefined if there is one or if there are no credentials
 */
export async function ensureAtStart(
  state: ProviderState,
  env: Environment = process.env,
): Promise<StartFailure | undefined> {
  if (!isSet(env["SCM_CLIENT_ID"]) || !hasSecret({}, env)) return undefined;
  const variable = env["SCM_AUTH_FILE"];
  const path = isSet(variable) ? variable : DEFAULT_PATH;
  try {
    await ensureAuthFileFromArgs({ path }, state);
    return undefined;
  } catch (error) {
    return { subject: `the auth file ${path} is not available`, text: formatError(error) };
  }
}

import { systemClock, type Seconds } from "../../shared/clock.ts";
import { parseAuthFile, PLACEHOLDER } from "../../shared/handoff/auth-file-format.ts";
import { judgePath } from "../../shared/handoff/auth-file.ts";
import { AuthFileLook, type Found } from "../../shared/handoff/found-auth-file.ts";
import { askEndpoint } from "../../shared/handoff/found-endpoint.ts";
import { livesLongEnough } from "../../shared/handoff/life-left.ts";
import { readOwnFile } from "../../shared/handoff/own-file.ts";
import { configError } from "../../shared/report/errors.ts";
import type { Problem } from "../../shared/report/fields.ts";
import { timeSpan } from "../../shared/report/time-span.ts";
import type { AccessToken } from "../../shared/token/access-token.ts";
import type { Account, Accounts } from "./account.ts";
import { collecting, signInOf, type Arguments, type Environment } from "./arguments.ts";

/**
 * The token of the auth file at `path`, or of the endpoint that it names, when it proves itself and lives long enough.
 * Asks for none, and writes nothing.
 *
 * @throws AuthError of kind `config` when what lies there is no file of ours, or of another identity
 */
export async function findToken(path: string, account: Account, minTtl?: Seconds): Promise<AccessToken | undefined> {
  const { held } = await lookAt(path, account);
  return held !== undefined && livesLongEnough(held, minTtl, systemClock) ? held.token : undefined;
}

function lookAt(path: string, account: Account): Promise<Found> {
  const { signal } = new AbortController();
  const look = new AuthFileLook({
    path: judgePath(path),
    request: account.request,
    verify: true,
    clock: systemClock,
    prove: (raw) => account.prove(raw, account.timeout),
    askEndpoint: (entry) => askEndpoint(entry, { clock: systemClock, signal }),
  });
  return look.look();
}

/** What there is to prove a token with. */
export interface Provers {
  /** The names of the arguments that there are. */
  readonly known: readonly string[];
  readonly env: Environment;
  readonly accounts: Accounts;
}

/**
 * As {@link findToken}, for who has no secret: whom the token is for is what the arguments say, and otherwise the file.
 *
 * @param field - the argument that names the file
 * @throws AuthError of kind `config`: without a token that will do, what is wrong with the file's and what is missing
 * to sign in
 */
export async function tokenWithoutSecret(
  field: "path" | "authFile",
  path: string,
  args: Arguments,
  { known, env, accounts }: Provers,
): Promise<AccessToken> {
  const file = await readOwnFile(judgePath(path));
  const entry = file && parseAuthFile(file.text);
  const problems: Problem[] = [];
  if (entry !== undefined) {
    const { clientId = entry.clientId, scope, tsgId } = args;
    const whom = { clientId, tsgId, scope: scope ?? (tsgId === undefined ? entry.scope : undefined) };
    const signIn = signInOf({ ...args, ...whom, clientSecret: PLACEHOLDER }, known, env);
    const found = await lookAt(path, accounts.of(signIn));
    if (found.held !== undefined && livesLongEnough(found.held, signIn.minTtl, systemClock)) return found.held.token;
    problems.push({ field, ...faultOf(found) });
  }
  collecting(problems, () => signInOf(args, known, env));
  throw configError(problems);
}

const RENEW = "Let who wrote the file renew it, or give credentials.";

/** Why the token of an auth file will not do. */
function faultOf({ held, fault }: Found): Omit<Problem, "field"> {
  const left = (held?.token.lifetime ?? 0) - (systemClock.monotonic() - (held?.monotonic ?? 0));
  const why = fault?.message.replace(/^[^:]+: |\.$/g, "") ?? `it has only ${timeSpan(left)} left`;
  return {
    reason: `names an auth file whose token can't be used here (${why})`,
    // That of an ended token speaks of one that was given just now.
    hint: fault === undefined || fault.code === "token_expired" ? RENEW : fault.hint,
  };
}

import { systemClock, type Seconds } from "../../shared/clock.ts";
import { parseAuthFile, PLACEHOLDER } from "../../shared/handoff/auth-file-format.ts";
import { judgePath } from "../../shared/handoff/auth-file.ts";
import { AuthFileLook, livesLongEnough } from "../../shared/handoff/found-auth-file.ts";
import { askEndpoint } from "../../shared/handoff/found-endpoint.ts";
import { readOwnFile } from "../../shared/handoff/own-file.ts";
import type { AccessToken } from "../../shared/token/access-token.ts";
import type { Account, Accounts } from "./account.ts";
import { signInOf, type Arguments, type Environment } from "./arguments.ts";

/**
 * The token of the auth file at `path`, or of the endpoint that it names, when it proves itself and lives long enough.
 * Asks for none, and writes nothing.
 *
 * @throws AuthError of kind `config` when what lies there is no file of ours, or of another identity
 */
export async function findToken(path: string, account: Account, minTtl?: Seconds): Promise<AccessToken | undefined> {
  const { signal } = new AbortController();
  const look = new AuthFileLook({
    path: judgePath(path),
    request: account.request,
    verify: true,
    clock: systemClock,
    prove: (raw) => account.prove(raw, account.timeout),
    askEndpoint: (entry) => askEndpoint(entry, { clock: systemClock, signal }),
  });
  const { held } = await look.look();
  return held !== undefined && livesLongEnough(held, minTtl, systemClock) ? held.token : undefined;
}

/**
 * As {@link findToken}, for who has no secret: whom the token is for is what the arguments say, and otherwise the file.
 *
 * @returns undefined when there is no such file, too
 * @throws AuthError of kind `config`
 */
export async function findTokenWithoutSecret(
  path: string,
  args: Arguments,
  {
    known,
    env,
    accounts,
  }: { readonly known: readonly string[]; readonly env: Environment; readonly accounts: Accounts },
): Promise<AccessToken | undefined> {
  const file = await readOwnFile(judgePath(path));
  const entry = file && parseAuthFile(file.text);
  if (entry === undefined) return undefined;
  const { clientId = entry.clientId, scope, tsgId } = args;
  const whom = { clientId, tsgId, scope: scope ?? (tsgId === undefined ? entry.scope : undefined) };
  const signIn = signInOf({ ...args, ...whom, clientSecret: PLACEHOLDER }, known, env);
  return findToken(path, accounts.of(signIn), signIn.minTtl);
}

import type { Seconds } from "../shared/clock.ts";
import type { Environment } from "../shared/environment.ts";
import { sealAccessToken } from "../shared/sealed-token.ts";
import type { CommandArguments } from "./arguments.ts";
import { CommandError } from "./command-error.ts";
import { getToken, isTokenServer, prepareSignIn } from "./sign-in.ts";
import type { Terminal } from "./terminal.ts";

/** Prints a verified token. @throws CommandError or AuthError */
export async function printToken(args: CommandArguments, env: Environment, terminal: Terminal): Promise<number> {
  const token = await getToken(await prepareSignIn(args, env, terminal), env, terminal);
  const { value, expiresAt, scope, tsgId } = token;
  const json = { access_token: value, expires_at: expiresAt?.toISOString(), scope, tsg_id: tsgId };
  await terminal.print(`${args.values["json"] === true ? JSON.stringify(json) : value}\n`);
  return 0;
}

/**
 * The default of `--min-ttl` for `seal`. SCM's tokens are valid for 900 s, and a job uses an unsealed token while it is
 * valid for at least 300 s. With an older token from the cache, other jobs would have less than ten minutes to start.
 */
const SEAL_MIN_TTL: Seconds = 840;

/** Prints a sealed token. @throws CommandError or AuthError */
export async function printSealedToken(args: CommandArguments, env: Environment, terminal: Terminal): Promise<number> {
  const signIn = await prepareSignIn(args, env, terminal);
  const { authRequest, context } = signIn;
  if (isTokenServer(authRequest.tokenUrl))
    throw new CommandError("a command of scm-auth run does not have the client secret, so it cannot seal a token.", {
      hint: "Run scm-auth seal outside of scm-auth run.",
    });
  const token = await getToken({ ...signIn, minTtl: signIn.minTtl ?? SEAL_MIN_TTL }, env, terminal);
  await terminal.print(`${await sealAccessToken(authRequest, token, context.clock)}\n`);
  return 0;
}

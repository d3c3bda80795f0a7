import { ensureTokenFile, resolveAuthFilePath } from "../shared/auth-file/ensure-auth-file.ts";
import type { Environment } from "../shared/environment.ts";
import { requestToken } from "../shared/sign-in.ts";
import { TokenSource } from "../shared/token-source.ts";
import type { CommandArguments } from "./arguments.ts";
import { CommandError } from "./command-error.ts";
import { startServing } from "./refreshed-file.ts";
import { getToken, prepareSignIn, unseal } from "./sign-in.ts";
import { Signals } from "./signals.ts";
import type { Terminal } from "./terminal.ts";

const DEFAULT_PATH = ".scm/auth.json";

/**
 * Writes an auth file and prints its path. With `--watch`, keeps its token valid until a signal, and then removes it.
 *
 * @throws CommandError or AuthError
 */
export async function writeAuthFile(args: CommandArguments, env: Environment, terminal: Terminal): Promise<number> {
  const path = resolveAuthFilePath(args.positionals[0] ?? DEFAULT_PATH);
  if (args.values["watch"] === true) return watch(path, args, env, terminal);
  const signIn = await prepareSignIn(args, env, terminal);
  const { context, limits, minTtl } = signIn;
  const { clock, random } = context;
  const request = async (signal: AbortSignal) =>
    (await unseal(signIn, env, terminal)) ?? (await requestToken(context, { ...limits, signal }));
  const tokens = new TokenSource(request, { clock, random });
  const { warnings } = await ensureTokenFile(context, tokens, { path, minTtl, limits });
  for (const warning of warnings) terminal.warn(warning);
  await terminal.print(`${path}\n`);
  return 0;
}

async function watch(path: string, args: CommandArguments, env: Environment, terminal: Terminal): Promise<number> {
  const signals = new Signals();
  try {
    const signIn = await prepareSignIn(args, env, terminal, { signal: signals.aborted });
    const { context, limits } = signIn;
    const token = await getToken({ ...signIn, useCache: false }, env, terminal);
    const serving = await startServing(context, token, { path, limits, terminal });
    try {
      await terminal.print(`${path}\n`);
      await Promise.race([serving.ended, signals.received]);
    } finally {
      await serving.end();
    }
    if (signals.first === undefined)
      throw new CommandError("the auth file was removed or replaced.", { hint: "Run the command again." });
    return 0;
  } catch (error) {
    if (signals.first === undefined) throw error;
    return 0;
  } finally {
    signals.dispose();
  }
}

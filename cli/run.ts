import { constants } from "node:os";
import { resolveAuthFilePath } from "../shared/auth-file/ensure-auth-file.ts";
import { formatDuration } from "../shared/duration.ts";
import type { Environment } from "../shared/environment.ts";
import { getString, type CommandArguments } from "./arguments.ts";
import { runChild } from "./child-process.ts";
import { createChildEnvironment } from "./child-environment.ts";
import { SecretSet } from "./output-redactor.ts";
import { startServing } from "./refreshed-file.ts";
import { createRunPath } from "./run-files.ts";
import { getToken, prepareSignIn } from "./sign-in.ts";
import { Signals } from "./signals.ts";
import type { Terminal } from "./terminal.ts";
import { getTokenTools, parseTools } from "./tools.ts";

/**
 * Runs a command with an auth file and a token server, both of which are gone when the command ends.
 *
 * @returns the exit status of the command
 * @throws CommandError or AuthError if the command was not started
 */
export async function run(args: CommandArguments, env: Environment, terminal: Terminal): Promise<number> {
  const tools = parseTools(getString(args, "export"));
  const signals = new Signals();
  const secrets = new SecretSet();
  try {
    const given = getString(args, "auth-file");
    const path = given === undefined ? await createRunPath(env) : resolveAuthFilePath(given);
    const onToken = (token: string): void => {
      secrets.add(token);
    };
    const signIn = await prepareSignIn(args, env, terminal, { signal: signals.aborted, onToken });
    const { authRequest, context, limits } = signIn;
    secrets.add(authRequest.clientSecret);
    const token = await getToken(signIn, env, terminal);
    const served = await startServing(context, token, { path, limits, terminal, onToken });
    for (const secret of [token.value, served.server.clientSecret]) secrets.add(secret);
    let hasEnded = false;
    void served.ended.then(() => {
      if (!hasEnded) terminal.warn("The auth file was removed or replaced, so the command cannot renew its token.");
    });
    try {
      const child = createChildEnvironment(env, { authRequest, token, path, server: served.server, tools });
      if (child.removed.length > 0)
        terminal.note(`note: not passed on, because it contains the client secret: ${child.removed.join(", ")}`);
      for (const tool of getTokenTools(tools))
        terminal.note(
          `note: ${tool} cannot renew its token, which expires in ${formatDuration(token.remaining(context.clock) ?? 0)}.`,
        );
      const masked = args.values["no-mask"] === true ? undefined : secrets;
      return await runChild(args.childCommand, { env: child.env, secrets: masked, signals });
    } finally {
      hasEnded = true;
      await served.end();
    }
  } catch (error) {
    if (!signals.aborted.aborted) throw error;
    return 128 + constants.signals[signals.first ?? "SIGTERM"];
  } finally {
    signals.dispose();
  }
}

import type { AuthRequest } from "../../shared/token/auth-request.ts";
import type { Accounts } from "./account.ts";
import { hasSecret, KNOWN, signInOf, type Arguments, type Environment } from "./arguments.ts";
import type { AuthFiles } from "./auth-files.ts";
import { tokenWithoutSecret } from "./found-token.ts";

/** What there is to make sure of a file with. */
export interface FileMakers {
  readonly accounts: Accounts;
  readonly files: AuthFiles;
  readonly env: Environment;
}

/** An auth file whose token lives. */
export interface ReadyFile {
  /** Whom it is for; undefined when only the file itself knows. */
  readonly request: AuthRequest | undefined;
  readonly warnings: readonly string[];
}

const known = KNOWN.AuthFile;

/**
 * Makes sure of the auth file that an AuthFile's arguments name. Who has no secret can make none; but a file that is
 * there already, by the action or by another process that has the secret, is good enough once it proves itself.
 *
 * @throws AuthError with all problems of the arguments, or with what went wrong
 */
export async function readyAuthFile(args: Arguments, { accounts, files, env }: FileMakers): Promise<ReadyFile> {
  const { path } = args;
  if (!hasSecret(args, env) && typeof path === "string" && path.trim() !== "") {
    await tokenWithoutSecret("path", path, args, { known, env, accounts });
    return { request: undefined, warnings: [] };
  }
  const signIn = signInOf(args, known, env);
  // Judged just now.
  const { warnings } = await files.makeSure(path as string, accounts.of(signIn), signIn.minTtl);
  return { request: signIn.request, warnings };
}

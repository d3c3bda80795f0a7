import { CALL_RULES, judgeOptions, type Rules } from "../report/call-options.ts";
import { AuthRequest, type AuthRequestInput } from "../token/auth-request.ts";
import { mint, prove } from "../token/prove-token.ts";
import { belongsTo, isOurs, parseAuthFile } from "./auth-file-format.ts";
import { judgePath, makeSureOfAuthFile } from "./auth-file.ts";
import { planCall, type HandoffOptions, type Seams } from "./call-plan.ts";
import { PROVING } from "./found-auth-file.ts";
import { askEndpoint } from "./found-endpoint.ts";
import { removeFile } from "./replace-file.ts";

/** Options of {@link ensureAuthFile}. Times are in seconds. */
export interface AuthFileOptions extends HandoffOptions {
  /** Where the file shall lie; relative to the working folder, or absolute. */
  readonly path: string;
  /** Whether signatures are proved. When false no token of a file is used again. Default: true. */
  readonly verify?: boolean | undefined;
}

/** An auth file that is there, with a token that lives. */
export interface EnsuredAuthFile {
  /** Absolute. */
  readonly path: string;
  /** When the token ends. */
  readonly expiresAt: Date;
  /** The scope that the token grants, its words separated by spaces. */
  readonly scope: string;
  /** Whether this call signed in; otherwise the token was found there, and proved. */
  readonly minted: boolean;
  /** Sentences for the user: a folder that others can write, say. */
  readonly warnings: readonly string[];
}

/** What each option must be. Left out is always right, but for the path. @internal */
export const RULES: Rules<AuthFileOptions> = {
  ...CALL_RULES,
  path: [(value) => typeof value === "string", "the path of a file"],
};

/**
 * Makes sure that the auth file which the `scm` providers of Terraform, OpenTofu and Pulumi read is there, with a token
 * that lives and without the account's secret. A token found in it is used when it proves itself; of any number of
 * processes that call this at once, one signs in. A loopback endpoint that serves the file's token stays.
 *
 * @param request - an AuthRequest, or what `AuthRequest.parse` takes
 * @throws AuthError: of kind `config` for options, path, folder, or a file there that is not ours; else as a sign-in
 * @example
 * ```ts
 * const { path } = await ensureAuthFile(AuthRequest.fromEnv(), { path: ".scm/auth.json" });
 * ```
 */
export async function ensureAuthFile(
  request: AuthRequest | AuthRequestInput,
  options: AuthFileOptions & Seams,
): Promise<EnsuredAuthFile> {
  const checked = AuthRequest.isAuthRequest(request) ? request : AuthRequest.parse(request);
  judgeOptions(options, RULES, ["path"]);
  const { path, minTtl } = options;
  const { flight, left, timeout } = planCall(checked, options);
  const { verify, signal, clock, random } = flight;
  const { token, ...made } = await makeSureOfAuthFile(
    { request: checked, path, minTtl, verify, signal, timeout, clock, random },
    {
      mint: () => mint(checked, { ...flight, timeout: left() }),
      prove: (raw) => prove(checked, raw, { ...flight, timeout: left() * PROVING }),
      askEndpoint: (entry) => askEndpoint(entry, { clock, signal }),
    },
  );
  const { expiresAt = new Date(clock.wall()), scope } = token;
  return { path: made.path, expiresAt: new Date(expiresAt), scope, minted: made.minted, warnings: made.warnings };
}

/**
 * Removes an auth file that scm-auth wrote, and what killed writers left beside it. It does not come back, also not by
 * a process that was about to write it. Who keeps it fresh ends by itself.
 *
 * @param identity - removes it only when it is for this client and these scopes
 * @returns whether there was one that went; a file of anybody else's stays
 * @throws AuthError of kind `config` when it can't be removed
 */
export async function removeAuthFile(
  path: string,
  identity?: { readonly clientId: string; readonly scope: string },
): Promise<boolean> {
  return removeFile(judgePath(path), {
    isOurs: (text) => {
      const entry = parseAuthFile(text);
      return entry !== undefined && isOurs(entry) && (identity === undefined || belongsTo(entry, identity));
    },
  });
}

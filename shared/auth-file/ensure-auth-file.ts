import { basename, resolve } from "node:path";
import { hasMinRemaining, type AccessToken } from "../access-token.ts";
import { toAuthRequest, type AuthRequest, type AuthRequestInput } from "../auth-request.ts";
import type { Seconds } from "../clock.ts";
import { AuthError } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { DEFAULTS, optionSchemas, validateOptions, type CallOptions } from "../options.ts";
import { createSignInContext, requestToken, type SignInContext } from "../sign-in.ts";
import { TokenSource } from "../token-source.ts";
import { withFileLock } from "./file-lock.ts";
import { isManaged, matchesIdentity, parseAuthFile, type TokenServerAddress } from "./format.ts";
import { checkPrivateDirectory, ensurePrivateDirectory } from "./private-directory.ts";
import { readAuthFile, updateAuthFile } from "./read-auth-file.ts";
import { authFileError, printablePath, removeManagedFile, removeTempFiles } from "./safe-files.ts";

/** Options of {@link ensureAuthFile}. Times are in seconds. */
export interface AuthFileOptions extends CallOptions {
  /** The path of the file, absolute or relative to the working directory. */
  readonly path: string;
  /** The minimum remaining lifetime for reusing the token of the file, 0 to 86400. Default: 300, or a third of its lifetime. */
  readonly minTtl?: Seconds | undefined;
  /** Whether to verify signatures. If false, the token of an existing file is not reused. Default: true. */
  readonly verify?: boolean | undefined;
}

/** An auth file with a valid token. */
export interface AuthFileResult {
  /** Absolute. */
  readonly path: string;
  /** When the token expires. */
  readonly expiresAt: Date;
  /** The granted scope, separated by spaces. */
  readonly scope: string;
  /** Whether the file contained a valid token; otherwise a new one was requested. */
  readonly reused: boolean;
  /** For the user, for example about the permissions of the directory. */
  readonly warnings: readonly string[];
}

/** Options of {@link ensureTokenFile}. */
export interface TokenFileOptions {
  readonly path: string;
  readonly minTtl?: Seconds | undefined;
  /** For everything. At most two thirds of the time are spent on waiting for another process. */
  readonly limits: RequestLimits;
  /** Only updates a file that exists: one that was removed must not come back. Default: false. */
  readonly onlyIfExists?: boolean | undefined;
}

/** The result of {@link ensureTokenFile}. */
export interface TokenFile {
  /** Absolute. */
  readonly path: string;
  readonly token: AccessToken;
  /** Whether the token comes from the file. */
  readonly reused: boolean;
  /** The token server in the file; undefined if there is none. */
  readonly server: TokenServerAddress | undefined;
  readonly warnings: readonly string[];
}

const LOCK_WAIT_RATIO = 2 / 3;
/** Temporary files that are older have no writer any more, in milliseconds. */
const STALE_TEMP_AGE = 60_000;

/**
 * Ensures that the auth file for the `scm` providers of Terraform, OpenTofu and Pulumi contains a valid token. The client
 * secret is not written. The token of an existing file is reused if it passes verification; if several processes call
 * this at once, usually only one signs in. A token server that serves the file is preserved.
 *
 * @throws AuthError of kind `config` for options; of kind `file` if the file or its directory cannot be used, or if the
 *   existing file was not created by scm-auth; otherwise as a sign-in
 * @example
 * ```ts
 * const { path } = await ensureAuthFile(AuthRequest.fromEnv(), { path: ".scm/auth.json" });
 * ```
 */
export async function ensureAuthFile(
  request: AuthRequest | AuthRequestInput,
  options: AuthFileOptions,
): Promise<AuthFileResult> {
  const authRequest = toAuthRequest(request);
  const { path, minTtl, timeout, maxRetries, verify, signal, onEvent } = optionSchemas;
  validateOptions(options, { path, minTtl, timeout, maxRetries, verify, signal, onEvent }, ["path"]);
  // With the test hooks, which are not part of the public type.
  const context = createSignInContext(authRequest, {
    ...options,
    policy: { maxRetries: options.maxRetries ?? DEFAULTS.maxRetries },
  });
  const { clock, random } = context;
  const deadline = clock.monotonic() + (options.timeout ?? DEFAULTS.timeout) * 1000;
  const tokens = new TokenSource((abort) => requestToken(context, { deadline, signal: abort }), { clock, random });
  const limits = { deadline, signal: options.signal };
  const result = await ensureTokenFile(context, tokens, { path: options.path, minTtl: options.minTtl, limits });
  const { token, reused, warnings } = result;
  const expiresAt = new Date(token.expiresAt ?? clock.now());
  return { path: result.path, expiresAt, scope: token.scope, reused, warnings };
}

/**
 * Removes an auth file that scm-auth created, and temporary files next to it. A process that refreshes it ends.
 *
 * @param identity - if given, only a file for this client ID and this scope is removed
 * @returns whether a file was removed
 * @throws AuthError of kind `file` when it cannot be removed
 */
export async function removeAuthFile(
  path: string,
  identity?: { readonly clientId: string; readonly scope: string },
): Promise<boolean> {
  return removeManagedFile(resolveAuthFilePath(path), (text) => {
    const content = parseAuthFile(text);
    return (
      content !== undefined && isManaged(content) && (identity === undefined || matchesIdentity(content, identity))
    );
  });
}

/**
 * Ensures that the auth file at `path` contains a valid token: that of the file, of `tokens`, or a new one. A token that
 * is reused becomes the current one of `tokens`.
 *
 * @throws AuthError
 */
export async function ensureTokenFile(
  context: SignInContext,
  tokens: TokenSource,
  options: TokenFileOptions,
): Promise<TokenFile> {
  const { clock, random } = context;
  const { minTtl, limits, onlyIfExists = false } = options;
  const path = resolveAuthFilePath(options.path);
  // A directory that was removed must not come back either.
  const warnings = await (onlyIfExists ? checkPrivateDirectory : ensurePrivateDirectory)(path, limits);
  const isUsable = (token: AccessToken | undefined): token is AccessToken =>
    token !== undefined && hasMinRemaining(token, minTtl, clock);

  /** Undefined without a token, or if the file was changed meanwhile, for example by a refresher. */
  const update = async (getToken?: () => Promise<AccessToken>): Promise<TokenFile | undefined> => {
    const existing = await readAuthFile(context, path, limits);
    const reused = isUsable(existing.token) ? existing.token : undefined;
    if (onlyIfExists && existing.file === undefined) throw authFileError(path, "was removed", "auth_file_invalid_path");
    const token = reused ?? (await getToken?.());
    if (token === undefined || !(await updateAuthFile(context, path, existing, token, limits))) return undefined;
    // A newer token of the source stays: it may not be written yet.
    if (reused && (reused.remaining(clock) ?? 0) > (tokens.current?.remaining(clock) ?? 0)) tokens.adopt(reused);
    return { path, token, reused: reused !== undefined, server: existing.server, warnings };
  };
  const found = await update();
  if (found !== undefined) return found;
  const now = clock.monotonic();
  const deadline = now + (limits.deadline - now) * LOCK_WAIT_RATIO;
  return withFileLock(path, { clock, random, deadline, signal: limits.signal }, async () => {
    await removeTempFiles(path, STALE_TEMP_AGE);
    for (;;) {
      const file = await update(async () =>
        isUsable(tokens.current) ? tokens.current : tokens.refresh({ signal: limits.signal }),
      );
      if (file !== undefined) return file;
    }
  });
}

/** What a shell would expand. */
const UNEXPANDED = process.platform === "win32" ? /^~[\w-]*[/\\]|%\w+%/ : /^~([\w-]*\/|$)|\$[\w{(]/;

/**
 * The absolute path of an auth file.
 *
 * @throws AuthError of kind `file`, code `auth_file_invalid_path`, with a hint that says what to write
 */
export function resolveAuthFilePath(path: string): string {
  const fail = (message: string, hint: string): never => {
    const description = `the path of the auth file ${message}: "${printablePath(path)}".`;
    throw new AuthError(description, { kind: "file", code: "auth_file_invalid_path", hint });
  };
  if (path.trim() === "") fail("is empty", "Set the path of a file, for example .scm/auth.json.");
  if (/\p{Cc}/u.test(path)) fail("contains a control character", "Remove line breaks and other control characters.");
  if (UNEXPANDED.test(path))
    fail(
      "contains ~ or a variable, which only a shell expands",
      "Write the path itself. In a workflow, use an expression such as ${{ runner.temp }}/auth.json.",
    );
  if (process.platform !== "win32" && path.includes("\\"))
    fail("contains a backslash, which is part of a name on this system", "Separate directories with /.");
  if (/[/\\]$/.test(path) || /^\.{1,2}$/.test(basename(path)))
    fail("is that of a directory", "Add a file name, for example .scm/auth.json.");
  return resolve(path);
}

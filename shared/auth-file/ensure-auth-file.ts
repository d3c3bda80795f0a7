import { access, constants } from "node:fs/promises";
import { dirname, posix, win32 } from "node:path";
import { hasMinRemaining, type AccessToken } from "../access-token.ts";
import { toAuthRequest, type AuthRequest, type AuthRequestInput } from "../auth-request.ts";
import type { Seconds } from "../clock.ts";
import { configError } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { DEFAULTS, optionSchemas, validateOptions, type CallOptions } from "../options.ts";
import { createSignInContext, requestToken, type SignInContext } from "../sign-in.ts";
import { TokenSource } from "../token-source.ts";
import { withFileLock } from "./file-lock.ts";
import { isManaged, matchesIdentity, parseAuthFile, type RunningTokenServer } from "./format.ts";
import { getGitWarnings } from "./git-ignore.ts";
import { checkPrivateDirectory, ensurePrivateDirectory } from "./private-directory.ts";
import { readAuthFile, updateAuthFile } from "./read-auth-file.ts";
import {
  authFileError,
  printablePath,
  removeManagedFile,
  removeTempFiles,
  runFileOperation,
  type FileLimits,
} from "./safe-files.ts";

/** Options of {@link ensureAuthFile}. Times are in seconds. */
export interface AuthFileOptions extends CallOptions {
  /** The path of the file, absolute or relative to the working directory. */
  readonly path: string;
  /**
   * The token in the file is reused only if it is valid for at least this long, 0 to 86400. Default: 300, or a third of
   * the token's lifetime if that is shorter.
   */
  readonly minTtl?: Seconds | undefined;
  /** Whether to verify signatures. If false, the token in an existing file is not reused. Default: true. */
  readonly verify?: boolean | undefined;
}

/** An auth file with a valid token. */
export interface AuthFileResult {
  /** The absolute path. */
  readonly path: string;
  /** When the token expires. */
  readonly expiresAt: Date;
  /** The granted scope, separated by spaces. */
  readonly scope: string;
  /** Whether the file contained a valid token. If not, a new one was requested. */
  readonly reused: boolean;
  /** Warnings for the user: that other users can write to the directory, or that Git does not ignore the file. */
  readonly warnings: readonly string[];
}

/** Options of {@link ensureTokenFile}. */
export interface TokenFileOptions {
  readonly path: string;
  readonly minTtl?: Seconds | undefined;
  /** Limits for the whole operation. At most two thirds of the time is spent waiting for another process. */
  readonly limits: RequestLimits;
  /** If true, only an existing file is updated, so that a removed file is not created again. Default: false. */
  readonly onlyIfExists?: boolean | undefined;
  /**
   * The token server of this process. The file then refers to it, unless the server of another job is running. Default:
   * none.
   */
  readonly ownServer?: RunningTokenServer | undefined;
}

/** The result of {@link ensureTokenFile}. */
export interface TokenFile {
  /** The absolute path. */
  readonly path: string;
  readonly token: AccessToken;
  /** Whether the token was read from the file. */
  readonly reused: boolean;
  /** The token server of another process that the file refers to; undefined if there is none. */
  readonly server: RunningTokenServer | undefined;
  readonly warnings: readonly string[];
}

const LOCK_WAIT_RATIO = 2 / 3;
/** Age in milliseconds after which a temporary file is considered abandoned. */
const STALE_TEMP_AGE = 60_000;

/**
 * Ensures that the auth file for the `scm` providers of Terraform, OpenTofu, and Pulumi contains a valid token. The
 * client secret is not written to the file. The token in an existing file is reused if it passes verification. If
 * several processes call this function at once, usually only one of them signs in. If a token server serves the file,
 * the file keeps referring to it.
 *
 * @throws AuthError of kind `config` if options are invalid; of kind `file` if the file or its directory cannot be
 *   used, or if the existing file was not created by scm-auth; any error that a sign-in throws
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
  // The options may include test hooks, which are not part of the public type.
  const context = createSignInContext(authRequest, {
    ...options,
    verify: options.verify,
    onEvent: options.onEvent,
    policy: { maxRetries: options.maxRetries ?? DEFAULTS.maxRetries },
  });
  const { clock, random } = context;
  const deadline = clock.monotonic() + (options.timeout ?? DEFAULTS.timeout) * 1000;
  const tokens = new TokenSource((abort) => requestToken(context, { deadline, signal: abort }), { clock, random });
  const limits = { deadline, signal: options.signal };
  const result = await ensureTokenFile(context, tokens, { path: options.path, minTtl: options.minTtl, limits });
  const { token, reused } = result;
  const warnings = [...result.warnings, ...(await getGitWarnings(result.path, limits))];
  const expiresAt = new Date(token.expiresAt ?? clock.now());
  return { path: result.path, expiresAt, scope: token.scope, reused, warnings };
}

/**
 * Removes an auth file that scm-auth created, and temporary files next to it. A background process that refreshes the
 * file then exits.
 *
 * @param identity - if given, the file is removed only if it is for this client ID and scope
 * @returns whether a file was removed
 * @throws AuthError of kind `config` if the path is invalid; of kind `file` if the file cannot be removed
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
 * Ensures that the auth file at `path` contains a valid token: the one in the file, the current token of `tokens`, or a
 * new one. A token reused from the file is adopted by `tokens` unless its current token expires later.
 *
 * @throws AuthError
 */
export async function ensureTokenFile(
  context: SignInContext,
  tokens: TokenSource,
  options: TokenFileOptions,
): Promise<TokenFile> {
  const { clock, random } = context;
  const { minTtl, limits, onlyIfExists = false, ownServer } = options;
  const path = resolveAuthFilePath(options.path);
  // A removed directory must not be created again either.
  const warnings = await (onlyIfExists ? checkPrivateDirectory : ensurePrivateDirectory)(path, limits);
  const isUsable = (token: AccessToken | undefined): token is AccessToken =>
    token !== undefined && hasMinRemaining(token, minTtl, clock);

  /**
   * Returns undefined if there is no token, or if the file has been changed in the meantime, for example by a
   * refresher.
   */
  const update = async (getToken?: () => Promise<AccessToken>): Promise<TokenFile | undefined> => {
    const existing = await readAuthFile(context, path, limits, { ownServer });
    const reused = isUsable(existing.token) ? existing.token : undefined;
    if (onlyIfExists && existing.file === undefined) throw authFileError(path, "was removed", "auth_file_invalid_path");
    const token = reused ?? (await getToken?.());
    if (token === undefined) return undefined;
    const served = ownServer === undefined ? existing : { server: ownServer, ...existing };
    if (!(await updateAuthFile(context, path, served, token, limits))) return undefined;
    // Keep a newer token from the source, which may not have been written yet.
    if (reused && (reused.remaining(clock) ?? 0) > (tokens.current?.remaining(clock) ?? 0)) tokens.adopt(reused);
    return { path, token, reused: reused !== undefined, server: existing.server, warnings };
  };
  const found = await update();
  if (found !== undefined) return found;
  const now = clock.monotonic();
  const deadline = now + (limits.deadline - now) * LOCK_WAIT_RATIO;
  return withFileLock(path, { clock, random, deadline, signal: limits.signal }, async () => {
    await removeTempFiles(path, STALE_TEMP_AGE);
    // Without this check, each attempt would request a token before it fails.
    await checkWritable(path, limits);
    for (;;) {
      const file = await update(async () =>
        isUsable(tokens.current) ? tokens.current : tokens.refresh({ signal: limits.signal }),
      );
      if (file !== undefined) return file;
    }
  });
}

/** @throws AuthError of kind `file` if this user cannot create files in the directory of the auth file */
const checkWritable = (path: string, limits: FileLimits): Promise<void> =>
  runFileOperation(path, "written", limits, () => access(dirname(path), constants.W_OK));

/** Matches `~` and variables, which only a shell expands. */
const UNEXPANDED = /^~([\w-]*[/\\]|$)|\$[\w{(]/;
/** Matches `%TEMP%`, but not `a%2Fb%2Fc`, a name that Jenkins uses. */
const UNEXPANDED_ON_WINDOWS = /%[a-z_]\w*%/i;

/**
 * Returns the absolute path of an auth file.
 *
 * @param field - the option, argument, or input that contains the path
 * @param platform - the platform that determines the syntax, set only in tests
 * @throws AuthError of kind `config`, with a hint that says how to write the path
 */
export function resolveAuthFilePath(path: string, field = "path", platform = process.platform): string {
  const isWindows = platform === "win32";
  const paths = isWindows ? win32 : posix;
  const fail = (message: string, hint: string): never => {
    throw configError([{ field, message: `${message}: "${printablePath(path)}"`, hint }]);
  };
  if (typeof (path as unknown) !== "string")
    throw configError([{ field, message: "must be a file path", hint: "Set it to a file path." }]);
  if (path.trim() === "") fail("is empty", "Set it to a file path, for example .scm/auth.json.");
  if (/[\p{Cc}\p{Cs}]/u.test(path))
    fail("contains a control character or a lone surrogate", "Remove line breaks and other control characters.");
  if (UNEXPANDED.test(path) || (isWindows && UNEXPANDED_ON_WINDOWS.test(path)))
    fail(
      "contains ~ or a variable, which only a shell expands",
      "Write the path itself: in a workflow with an expression such as ${{ runner.temp }}/auth.json, in a program with os.homedir() or process.env.",
    );
  if (/^(["']).*\1$/.test(path)) fail("is in quotes", "Remove the quotes.");
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(path))
    fail("is a URL", "Write a path. In a program, fileURLToPath() converts a file URL.");
  if (!isWindows && path.includes("\\"))
    fail("contains a backslash, which is part of a name on this system", "Separate directories with /.");
  if (/[/\\]$/.test(path) || /^\.{0,2}$/.test(paths.basename(path)))
    fail("refers to a directory", "Add a file name, for example .scm/auth.json.");
  try {
    return paths.resolve(path);
  } catch {
    return fail("is relative, but the working directory was removed", "Use an absolute path.");
  }
}

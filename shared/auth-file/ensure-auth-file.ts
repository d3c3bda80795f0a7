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
import { authFileError, printablePath } from "./file-operation.ts";
import {
  createAuthFileContent,
  isManaged,
  matchesIdentity,
  parseAuthFile,
  serializeAuthFile,
  type TokenServerAddress,
} from "./format.ts";
import { checkPrivateDirectory, ensurePrivateDirectory } from "./private-directory.ts";
import { isUpToDate, readAuthFile, type ExistingAuthFile } from "./read-auth-file.ts";
import { readPrivateFile, removeManagedFile, removeTempFiles, writeFileAtomic } from "./safe-files.ts";

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
  /** See `DirectoryOptions`. */
  readonly trustedDir?: string | undefined;
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
/** How often to start again because the file changes while a token is requested. */
const MAX_ATTEMPTS = 3;
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
  const { limits, trustedDir } = options;
  const path = resolveAuthFilePath(options.path);
  // A directory that was removed must not come back either.
  const prepareDirectory = options.onlyIfExists ? checkPrivateDirectory : ensurePrivateDirectory;
  const warnings = await prepareDirectory(path, { trustedDir, limits: { clock, ...limits } });
  const finish = (file: Omit<TokenFile, "path" | "warnings">): TokenFile => ({ path, warnings, ...file });

  const reusable = getReusable(context, await readAuthFile(context, path, limits), options);
  if (reusable !== undefined) return finish(adopt(context, tokens, reusable));
  const now = clock.monotonic();
  const deadline = now + (limits.deadline - now) * LOCK_WAIT_RATIO;
  return withFileLock(path, { clock, random, deadline, signal: limits.signal }, async () => {
    await removeTempFiles(path, STALE_TEMP_AGE);
    for (let attempt = 1; ; attempt++) {
      const existing = await readAuthFile(context, path, limits);
      const unchanged = getReusable(context, existing, options);
      if (unchanged !== undefined) return finish(adopt(context, tokens, unchanged));
      if (options.onlyIfExists && existing.file === undefined)
        throw authFileError(path, "was removed", "auth_file_invalid_path");
      const usable =
        existing.token && hasMinRemaining(existing.token, options.minTtl, clock) ? existing.token : undefined;
      const token = usable ?? (await getToken(context, tokens, options));
      const content = createAuthFileContent(context.authRequest, token, clock, existing.server);
      // A refresher may write a newer token meanwhile.
      const isLast = attempt === MAX_ATTEMPTS;
      const shouldReplace = async (): Promise<boolean> => {
        const file = await readPrivateFile(path);
        if (isLast) return !options.onlyIfExists || file !== undefined;
        return file?.ino === existing.file?.ino && file?.text === existing.file?.text;
      };
      const write = { shouldReplace, limits: { clock, ...limits } };
      const isWritten = await writeFileAtomic(path, serializeAuthFile(content), write);
      if (isWritten)
        return finish(adopt(context, tokens, { token, server: existing.server, reused: usable !== undefined }));
      if (isLast) throw authFileError(path, "was removed", "auth_file_invalid_path");
    }
  });
}

type ReusedToken = Omit<TokenFile, "path" | "warnings">;

/** What the file contains, if nothing needs to change. */
function getReusable(
  context: SignInContext,
  { file, token, server }: ExistingAuthFile,
  { minTtl }: TokenFileOptions,
): ReusedToken | undefined {
  if (file === undefined || token === undefined || !hasMinRemaining(token, minTtl, context.clock)) return undefined;
  return isUpToDate(context, file, token, server) ? { token, server, reused: true } : undefined;
}

/** A newer token of the source stays: it may not be written yet. */
function adopt({ clock }: SignInContext, tokens: TokenSource, file: ReusedToken): ReusedToken {
  const remaining = tokens.current?.remaining(clock) ?? 0;
  if (file.reused && (file.token.remaining(clock) ?? 0) > remaining) tokens.adopt(file.token);
  return file;
}

/** The current token of the source if it would also be reused from a file, otherwise a new one. */
async function getToken(
  { clock }: SignInContext,
  tokens: TokenSource,
  { minTtl, limits }: TokenFileOptions,
): Promise<AccessToken> {
  const { current } = tokens;
  if (current && hasMinRemaining(current, minTtl, clock)) return current;
  return tokens.refresh({ signal: limits.signal });
}

/** What a shell would expand. */
const UNEXPANDED = process.platform === "win32" ? /^~[\w-]*[/\\]|%\w+%/ : /^~([\w-]*\/|$)|\$[\w{(]/;

/**
 * The absolute path of an auth file.
 *
 * @throws AuthError of kind `file`, code `auth_file_invalid_path`, with a hint that says what to write
 */
export function resolveAuthFilePath(path: string): string {
  const problem = findPathProblem(path);
  if (problem === undefined) return resolve(path);
  const [message, hint] = problem;
  const description = `the path of the auth file ${message}: "${printablePath(path)}".`;
  throw new AuthError(description, { kind: "file", code: "auth_file_invalid_path", hint });
}

function findPathProblem(path: string): readonly [message: string, hint: string] | undefined {
  if (path.trim() === "") return ["is empty", "Set the path of a file, for example .scm/auth.json."];
  if (/\p{Cc}/u.test(path)) return ["contains a control character", "Remove line breaks and other control characters."];
  if (UNEXPANDED.test(path))
    return [
      "contains ~ or a variable, which only a shell expands",
      "Write the path itself. In a workflow, use an expression such as ${{ runner.temp }}/auth.json.",
    ];
  if (process.platform !== "win32" && path.includes("\\"))
    return ["contains a backslash, which is part of a name on this system", "Separate directories with /."];
  if (/[/\\]$/.test(path) || /^\.{1,2}$/.test(basename(path)))
    return ["is that of a directory", "Add a file name, for example .scm/auth.json."];
  return undefined;
}

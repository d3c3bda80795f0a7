import type { AccessToken } from "../access-token.ts";
import type { Clock, Milliseconds } from "../clock.ts";
import { AuthError } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { verifyToken, type SignInContext } from "../sign-in.ts";
import {
  createAuthFileContent,
  matchesIdentity,
  otherIdentityError,
  parseAuthFile,
  parseManagedFile,
  serializeAuthFile,
  PLACEHOLDER_SECRET,
  type AuthFileContent,
  type RunningTokenServer,
  type TokenServerAddress,
} from "./format.ts";
import { authFileError, isPrivate, readPrivateFile, writeFileAtomic, type FileSnapshot } from "./safe-files.ts";
import { requestServedToken } from "./token-server-client.ts";

/** What exists at the path of an auth file, and which parts of it can be used. */
export interface ExistingAuthFile {
  /** Undefined if there is no file. */
  readonly file: FileSnapshot | undefined;
  /** Undefined if the file is empty or other users can access it. */
  readonly content?: AuthFileContent;
  /** A token that was just verified: from the token server or, if none is running, from the file. */
  readonly token?: AccessToken;
  /** A running token server of another process that belongs to the same job. */
  readonly server?: RunningTokenServer;
  /** The reason there is no token. */
  readonly reason?: AuthError;
}

/** Options of {@link readAuthFile}. */
export interface ReadOptions {
  /** The job that a running token server must belong to. Default: any. */
  readonly jobId?: string | undefined;
  /** The token server of this process. It replaces other servers of the same job. Default: none. */
  readonly ownServer?: RunningTokenServer | undefined;
}

/**
 * Requesting the token from the token server and verifying a token may each take at most this fraction of the remaining
 * time, so that enough is left for a sign-in.
 */
const TIME_RATIO = 1 / 3;

/**
 * Reads the auth file at `path` and verifies its token. With `verify: false`, neither the token nor a token server is
 * reused.
 *
 * @throws AuthError of kind `file` if the file was not created by scm-auth, or if another identity or job uses it
 */
export async function readAuthFile(
  context: SignInContext,
  path: string,
  limits: RequestLimits,
  { jobId, ownServer }: ReadOptions = {},
): Promise<ExistingAuthFile> {
  const { authRequest, clock } = context;
  const file = await readPrivateFile(path, limits);
  if (file === undefined || file.text === "") return { file };
  const content = parseManagedFile(path, file.text);
  if (!isPrivate(file))
    return { file, reason: authFileError(path, "is accessible to other users", "auth_file_insecure") };

  // The server of this process would wait for this process to renew the token.
  const isOwn = ownServer?.clientSecret === content.clientSecret;
  const served = isOwn ? undefined : await requestServedToken(content, limitTime(limits, clock));
  if (!matchesIdentity(content, authRequest)) {
    // The file may be replaced if its token has expired and is not being refreshed.
    if (content.jwtExpiresAt <= clock.now() && served?.token !== content.jwt) return { file, content };
    throw otherIdentityError(path);
  }
  const verified = served && context.verify ? await verify(context, served.token, limits) : {};
  // Another program may be using the port by now. The refresher serves the token in the file, or a newer valid one.
  const isGenuine = verified.token !== undefined || served?.token === content.jwt;
  if (isGenuine && jobId !== undefined && served?.jobId !== jobId)
    throw authFileError(path, "is in use by another job", "auth_file_in_use");
  if (!context.verify) return { file, content };
  if (served && verified.token) {
    const server = { authUrl: content.authUrl, clientSecret: content.clientSecret, jobId: served.jobId };
    return { file, content, token: verified.token, ...(server.jobId !== ownServer?.jobId && { server }) };
  }
  return { file, content, ...(await verify(context, content.jwt, limits)) };
}

/** Returns a signal that is aborted early enough to leave time for a sign-in. */
function limitTime({ deadline, signal }: RequestLimits, clock: Clock): AbortSignal {
  const timeout = AbortSignal.timeout(Math.ceil(Math.max(0, deadline - clock.monotonic()) * TIME_RATIO));
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

async function verify(
  context: SignInContext,
  jwt: string,
  { deadline, signal }: RequestLimits,
): Promise<Pick<ExistingAuthFile, "token" | "reason">> {
  const now = context.clock.monotonic();
  try {
    return { token: await verifyToken(context, jwt, { deadline: now + (deadline - now) * TIME_RATIO, signal }) };
  } catch (error) {
    if (!AuthError.isAuthError(error) || error.kind === "aborted") throw error;
    return { reason: error };
  }
}

/**
 * Tolerance for comparing times: the lifetime and expiration of a token in the server's response differ by about a
 * second from those in its claims.
 */
const TIME_TOLERANCE: Milliseconds = 5000;

/**
 * Writes a token to the auth file and keeps its token server. Does nothing if the file already contains both.
 *
 * @returns false if the file has changed since it was read
 * @throws AuthError
 */
export async function updateAuthFile(
  { authRequest, clock }: SignInContext,
  path: string,
  { file, content, server }: ExistingAuthFile,
  token: AccessToken,
  limits: RequestLimits,
): Promise<boolean> {
  const expected = createAuthFileContent(authRequest, token, clock, server);
  const isClose = (name: "jwtExpiresAt" | "jwtLifetime"): boolean =>
    content !== undefined && Math.abs(content[name] - expected[name]) <= TIME_TOLERANCE;
  if (content !== undefined && isClose("jwtExpiresAt") && isClose("jwtLifetime")) {
    const { jwtExpiresAt, jwtLifetime } = content;
    if (file?.text === serializeAuthFile({ ...expected, jwtExpiresAt, jwtLifetime })) return true;
  }
  const isUnchanged = async (): Promise<boolean> => (await readPrivateFile(path))?.text === file?.text;
  return writeFileAtomic(path, serializeAuthFile(expected), isUnchanged, limits);
}

/**
 * Replaces the address of a token server in the auth file with the token URL, because the server is about to end. Does
 * nothing if the file refers to another server.
 *
 * @throws AuthError of kind `file`
 */
export async function removeTokenServer(
  path: string,
  { clientSecret }: TokenServerAddress,
  tokenUrl: URL,
  limits: RequestLimits,
): Promise<void> {
  const file = await readPrivateFile(path, limits);
  const content = file && parseAuthFile(file.text);
  if (content?.clientSecret !== clientSecret) return;
  const text = serializeAuthFile({ ...content, clientSecret: PLACEHOLDER_SECRET, authUrl: tokenUrl.href });
  await writeFileAtomic(path, text, async () => (await readPrivateFile(path))?.text === file?.text, limits);
}

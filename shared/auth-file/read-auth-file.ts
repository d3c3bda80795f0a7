import type { AccessToken } from "../access-token.ts";
import type { Clock, Milliseconds } from "../clock.ts";
import { AuthError } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { verifyToken, type SignInContext } from "../sign-in.ts";
import { authFileError } from "./file-operation.ts";
import {
  createAuthFileContent,
  isManaged,
  matchesIdentity,
  parseAuthFile,
  serializeAuthFile,
  type AuthFileContent,
  type TokenServerAddress,
} from "./format.ts";
import { isPrivate, readPrivateFile, type FileSnapshot } from "./safe-files.ts";
import { requestServedToken, type ServedToken } from "./token-server-client.ts";

/** What exists at the path of an auth file, and what of it can be used. */
export interface ExistingAuthFile {
  /** Undefined if there is no file. */
  readonly file: FileSnapshot | undefined;
  /** Undefined if the file is empty or other users can access it. */
  readonly content?: AuthFileContent;
  /** A token that was verified now: of the token server if one is running, otherwise of the file. */
  readonly token?: AccessToken;
  /** A running token server of the same job. */
  readonly server?: TokenServerAddress;
  /** Why there is no token. */
  readonly reason?: AuthError;
}

/** Verifying an existing token takes at most this share of the time, or none would remain for a sign-in. */
const VERIFY_RATIO = 1 / 3;

/**
 * Reads the auth file at `path` and verifies its token. With `verify: false`, nothing of a file is used again.
 *
 * @param options.jobId - the job that a running token server must belong to. Default: any
 * @throws AuthError of kind `file` if the file was not created by scm-auth, or if another identity or job uses it
 */
export async function readAuthFile(
  context: SignInContext,
  path: string,
  limits: RequestLimits,
  { jobId }: { readonly jobId?: string | undefined } = {},
): Promise<ExistingAuthFile> {
  const { authRequest, clock } = context;
  const fileLimits = { clock, ...limits };
  const file = await readPrivateFile(path, fileLimits);
  if (file === undefined || file.text === "") return { file };
  const content = parseAuthFile(file.text);
  if (content === undefined || !isManaged(content))
    throw authFileError(path, "already exists and was not created by scm-auth", "auth_file_not_managed");
  if (!isPrivate(file))
    return { file, reason: authFileError(path, "is accessible to other users", "auth_file_insecure") };

  const served = await requestServedToken(content, { signal: limits.signal });
  if (!matchesIdentity(content, authRequest)) {
    assertUnused(path, content, served, clock);
    return { file, content };
  }
  const verification = await verifyServed(context, served, limits);
  // Another program may have taken the port. The refresher knows the token of the file, or a newer one that is valid.
  const isGenuine = served !== undefined && (verification?.token !== undefined || served.token === content.jwt);
  if (isGenuine && jobId !== undefined && served.jobId !== jobId)
    throw authFileError(path, "is in use by another job", "auth_file_in_use");
  if (!context.verify) return { file, content };
  if (verification?.token !== undefined) {
    const { authUrl, clientSecret } = content;
    return { file, content, token: verification.token, server: { authUrl, clientSecret } };
  }
  return { file, content, ...(await verifyExisting(context, content.jwt, limits)) };
}

/** The file of another identity may be replaced when its token has expired and is not refreshed. */
function assertUnused(
  path: string,
  content: AuthFileContent,
  served: ServedToken | undefined,
  clock: Pick<Clock, "now">,
): void {
  if (content.jwtExpiresAt <= clock.now() && served?.token !== content.jwt) return;
  const message = "contains a valid token of another identity (client ID or scope)";
  throw authFileError(path, message, "auth_file_in_use");
}

type Verification = { readonly token: AccessToken } | { readonly token?: never; readonly reason: AuthError };

async function verifyServed(
  context: SignInContext,
  served: ServedToken | undefined,
  limits: RequestLimits,
): Promise<Verification | undefined> {
  return served && context.verify ? verifyExisting(context, served.token, limits) : undefined;
}

async function verifyExisting(
  context: SignInContext,
  jwt: string,
  { deadline, signal }: RequestLimits,
): Promise<Verification> {
  const now = context.clock.monotonic();
  try {
    return { token: await verifyToken(context, jwt, { deadline: now + (deadline - now) * VERIFY_RATIO, signal }) };
  } catch (error) {
    if (!AuthError.isAuthError(error) || error.kind === "aborted") throw error;
    return { reason: error };
  }
}

/** Lifetime and date of a token differ by about a second between the response of the server and its claims. */
const TIME_TOLERANCE: Milliseconds = 5000;

/** Whether the file contains this token and this server, and no fields that scm-auth does not write. */
export function isUpToDate(
  { authRequest, clock }: Pick<SignInContext, "authRequest" | "clock">,
  file: FileSnapshot,
  token: AccessToken,
  server: TokenServerAddress | undefined,
): boolean {
  const content = parseAuthFile(file.text);
  if (content === undefined || !isPrivate(file)) return false;
  const expected = createAuthFileContent(authRequest, token, clock, server);
  const { jwtExpiresAt, jwtLifetime } = content;
  const isClose = (time: Milliseconds, other: Milliseconds): boolean => Math.abs(time - other) <= TIME_TOLERANCE;
  if (!isClose(jwtExpiresAt, expected.jwtExpiresAt) || !isClose(jwtLifetime, expected.jwtLifetime)) return false;
  return file.text === serializeAuthFile({ ...expected, jwtExpiresAt, jwtLifetime });
}

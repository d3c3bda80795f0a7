import * as z from "zod/mini";
import type { AccessToken } from "../access-token.ts";
import type { AuthRequest } from "../auth-request.ts";
import type { Clock, Milliseconds } from "../clock.ts";
import { AuthError } from "../errors.ts";
import { normalizeScope } from "../scope.ts";
import { authFileError } from "./safe-files.ts";

/** Where a token server listens, and the secret that it accepts. */
export interface TokenServerAddress {
  readonly authUrl: string;
  readonly clientSecret: string;
}

/** A running token server, and the job that it belongs to. */
export interface RunningTokenServer extends TokenServerAddress {
  /** A digest or a name that identifies the job. */
  readonly jobId: string;
}

/**
 * The parsed content of an auth file. Fields that scm-auth does not write are ignored. A file written by scm-auth
 * contains either the URL and secret of a token server, or the token URL and {@link PLACEHOLDER_SECRET}. It never
 * contains the secret of the service account.
 */
export interface AuthFileContent extends TokenServerAddress {
  readonly clientId: string;
  /** The requested scope. */
  readonly scope: string;
  readonly jwt: string;
  /** When the providers stop using the token, according to this machine's wall clock. */
  readonly jwtExpiresAt: Milliseconds;
  /** The total lifetime of the token, a multiple of 1000. */
  readonly jwtLifetime: Milliseconds;
}

/** The providers reject a file without a secret, but do not use the secret while the token is valid. */
export const PLACEHOLDER_SECRET = "not-stored-by-scm-auth";

/** The only address on which a token server listens. */
export const TOKEN_SERVER_HOST = "127.0.0.1";
/** The path for token requests, which is the same as on SCM's auth server. */
export const TOKEN_SERVER_PATH = "/am/oauth2/access_token";
/** The path of the JWK Set, relative to {@link TOKEN_SERVER_PATH} as on SCM's auth server. */
export const TOKEN_SERVER_JWKS_PATH = "/am/oauth2/connect/jwk_uri";
/** The path for `POST` requests that stop the refresher. They send the secret in the auth file as a Bearer token. */
export const SHUTDOWN_PATH = "/shutdown";

const TOKEN_SERVER_URL = /^http:\/\/127\.0\.0\.1:([1-9]\d{0,4})\/am\/oauth2\/access_token$/;
/** 32 random bytes in base64url (RFC 4648 section 5). */
const SERVER_SECRET = /^[\w-]{43}$/;
/**
 * The providers stop using a token this long before it expires, or this fraction of its lifetime before it expires if
 * that is shorter.
 */
const EXPIRY_MARGIN: Milliseconds = 60_000;
const EXPIRY_MARGIN_RATIO = 1 / 10;

/** Returns the `auth_url` of the token server on `port`. */
export const toTokenServerUrl = (port: number): string => `http://${TOKEN_SERVER_HOST}:${port}${TOKEN_SERVER_PATH}`;

/** Returns the port of a URL in the exact format of {@link toTokenServerUrl}, or undefined for any other URL. */
export function parseTokenServerPort(authUrl: string): number | undefined {
  const port = Number(TOKEN_SERVER_URL.exec(authUrl)?.[1]);
  return port <= 65_535 ? port : undefined;
}

/**
 * Returns the text of an auth file: a subset of the fields that the `scm` providers read (scm-go 1.0.9, struct
 * `Client`). `host` and `protocol` are omitted because the `prismasdwan` provider, which reads the same file, uses a
 * different host.
 */
export const serializeAuthFile = (content: AuthFileContent): string =>
  `${JSON.stringify(
    {
      client_id: content.clientId,
      client_secret: content.clientSecret,
      scope: content.scope,
      auth_url: content.authUrl,
      jwt: content.jwt,
      jwt_expires_at: new Date(content.jwtExpiresAt).toISOString(),
      jwt_lifetime: Math.floor(content.jwtLifetime / 1000),
    },
    undefined,
    2,
  )}\n`;

const nonEmptyString = z.string().check(
  z.minLength(1),
  // A lone surrogate cannot be encoded as UTF-8; scm-auth never writes one.
  z.refine((value) => value.isWellFormed()),
);
const schema = z.object({
  client_id: nonEmptyString,
  client_secret: nonEmptyString,
  scope: nonEmptyString,
  auth_url: nonEmptyString,
  jwt: nonEmptyString,
  jwt_expires_at: z.iso.datetime({ offset: true }),
  jwt_lifetime: z.int().check(z.gte(0)),
});

/** Parses an auth file that contains a token. Returns undefined for any other text. */
export function parseAuthFile(text: string): AuthFileContent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = schema.safeParse(json);
  if (!success) return undefined;
  return {
    clientId: data.client_id,
    clientSecret: data.client_secret,
    scope: data.scope,
    authUrl: data.auth_url,
    jwt: data.jwt,
    jwtExpiresAt: Date.parse(data.jwt_expires_at),
    jwtLifetime: data.jwt_lifetime * 1000,
  };
}

/**
 * Parses a file that scm-auth wrote: its secret is the placeholder or belongs to a token server.
 *
 * @throws AuthError of kind `file` for any other file
 */
export function parseManagedFile(path: string, text: string): AuthFileContent {
  const content = parseAuthFile(text);
  if (content === undefined || !isManaged(content))
    throw authFileError(path, "already exists and was not created by scm-auth", "auth_file_not_managed");
  return content;
}

/** Whether scm-auth wrote this content. */
export const isManaged = ({ authUrl, clientSecret }: TokenServerAddress): boolean =>
  clientSecret === PLACEHOLDER_SECRET ||
  (parseTokenServerPort(authUrl) !== undefined && SERVER_SECRET.test(clientSecret));

/**
 * Whether the text is exactly what {@link serializeAuthFile} writes. The providers also honor `host`, `headers`,
 * `logging`, and `skip_verify_certificate` in the file, so a file with additional fields must not be used as is.
 */
export function isCanonical(text: string): boolean {
  const content = parseAuthFile(text);
  return content !== undefined && serializeAuthFile(content) === text;
}

/**
 * Creates the content of the auth file for a token. For a token that was read from the file, the content is unchanged,
 * so that a valid file is not written again.
 *
 * @param server - a running token server; without one, the file contains the token URL and a placeholder
 * @throws AuthError of kind `protocol` if the token's lifetime is unknown
 */
export function createAuthFileContent(
  request: Pick<AuthRequest, "clientId" | "scope" | "tokenUrl">,
  token: AccessToken,
  clock: Clock,
  server?: TokenServerAddress,
): AuthFileContent {
  const { lifetime, expiresAt } = token;
  const remaining = token.remaining(clock);
  if (lifetime === undefined || remaining === undefined || expiresAt === undefined)
    throw new AuthError("the token's lifetime is unknown, so it cannot be stored in an auth file.", {
      kind: "protocol",
      code: "token_lifetime_unknown",
    });
  // While the token is valid, the date must not be in the past. Otherwise, the providers would sign in with the
  // placeholder.
  const margin = Math.min(EXPIRY_MARGIN, lifetime * EXPIRY_MARGIN_RATIO, remaining / 2);
  // Prefer the token's expiration date, which is the same for all readers. If this machine's clock differs too much
  // from the server's, use a date according to this machine's clock.
  const measured = clock.now() + remaining;
  const expiry = Math.abs(expiresAt.getTime() - measured) <= margin / 2 ? expiresAt.getTime() : measured;
  return {
    clientId: request.clientId,
    clientSecret: server?.clientSecret ?? PLACEHOLDER_SECRET,
    scope: request.scope,
    authUrl: server?.authUrl ?? request.tokenUrl.href,
    jwt: token.value,
    jwtExpiresAt: Math.floor(expiry - margin),
    jwtLifetime: Math.max(1, Math.floor(lifetime / 1000)) * 1000,
  };
}

/** The error for a file that must not be replaced, because its token is for another identity and has not expired. */
export const otherIdentityError = (path: string): AuthError =>
  authFileError(path, "contains a valid token for another identity (client ID or scope)", "auth_file_in_use");

/** Whether the content is for this client ID and scope. The order of the scope-tokens does not matter. */
export const matchesIdentity = (
  content: Pick<AuthFileContent, "clientId" | "scope">,
  identity: { readonly clientId: string; readonly scope: string },
): boolean =>
  content.clientId === identity.clientId && normalizeScope(content.scope) === normalizeScope(identity.scope);

import * as z from "zod/mini";
import type { Milliseconds } from "../clock.ts";
import type { AccessToken } from "../token/access-token.ts";
import type { AuthRequest } from "../token/auth-request.ts";
import { scopeSet } from "../token/scope.ts";
import { handoffError } from "./handoff-error.ts";
import { loopbackPort } from "./loopback-url.ts";

/** What an auth file says, as far as we believe it. */
export interface AuthFileEntry {
  readonly clientId: string;
  /** {@link PLACEHOLDER}, or the secret that a loopback endpoint made for this job. Never the account's own. */
  readonly clientSecret: string;
  readonly scope: string;
  /** The token URL, or that of a loopback endpoint. */
  readonly authUrl: string;
  readonly jwt: string;
  /** When the providers stop using the token, by the wall clock that they share with us. */
  readonly jwtExpiresAt: Milliseconds;
  /** The token's whole life, in whole seconds. */
  readonly jwtLifetime: Milliseconds;
}

/** A loopback endpoint that lives, as the file names it. */
export interface Endpoint {
  readonly authUrl: string;
  readonly clientSecret: string;
}

/** Stands where the providers want a secret: they refuse a file without one, and don't use it while the token lives. */
export const PLACEHOLDER = "kept-off-the-disk-by-scm-auth";

/** Where the providers find the API, as they have it themselves. `SCM_HOST` and the provider block override it. */
const HOST = "api.strata.paloaltonetworks.com";
/** 32 random bytes in base64url (RFC 4648 section 5). */
const JOB_SECRET = /^[\w-]{43}$/;
/** RFC 3339 section 5.6, as Go reads it. */
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
/** A token longer than this fits into no header. */
const LONGEST_TOKEN = 65_536;

/**
 * The text of an auth file: exactly the fields that the `scm` providers read (scm-go 1.0.9, `Client` struct). All
 * others (`headers`, `logging`, `skip_verify_certificate`, another `host`) are left at what the providers assume.
 */
export const formatAuthFile = (entry: AuthFileEntry): string =>
  `${JSON.stringify(
    {
      client_id: entry.clientId,
      client_secret: entry.clientSecret,
      scope: entry.scope,
      host: HOST,
      protocol: "https",
      auth_url: entry.authUrl,
      jwt: entry.jwt,
      jwt_expires_at: new Date(entry.jwtExpiresAt).toISOString(),
      jwt_lifetime: Math.floor(entry.jwtLifetime / 1000),
    },
    undefined,
    2,
  )}\n`;

const filled = z.string().check(z.minLength(1));
const authFile = z.object({
  client_id: filled,
  client_secret: filled,
  scope: filled,
  auth_url: filled,
  jwt: filled.check(z.maxLength(LONGEST_TOKEN)),
  jwt_expires_at: z.string().check(
    z.regex(DATE_TIME),
    z.refine((text) => !Number.isNaN(Date.parse(text))),
  ),
  jwt_lifetime: z.int().check(z.gte(0)),
});

/** What a text says that is an auth file with a token in it; other fields are passed over. Undefined when it is none. */
export function parseAuthFile(text: string): AuthFileEntry | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = authFile.safeParse(json);
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

/** The providers shall leave a token alone before it ends: so long before, or this share of its life. */
const MARGIN: Milliseconds = 60_000;
const MARGIN_SHARE = 1 / 10;

/**
 * What the file shall say of a token. The same for one that was found in a file as for the one that was minted, so
 * that a file that is right is not written again.
 *
 * @param wall - our wall clock, which is the providers' too
 * @param endpoint - a loopback endpoint that lives; without one the providers find the token URL and a placeholder
 * @throws AuthError of kind `protocol` when nobody knows how long the token lives
 */
export function entryOf(
  request: Pick<AuthRequest, "clientId" | "scope" | "tokenUrl">,
  token: AccessToken,
  wall: Milliseconds,
  endpoint?: Endpoint,
): AuthFileEntry {
  const { life, lifetime: left, expiresAt } = token;
  if (life === undefined || left === undefined || expiresAt === undefined)
    throw handoffError(
      "the server did not say how long its token lives, so an auth file can't hold it.",
      "unknown_life",
      {
        kind: "protocol",
      },
    );
  return {
    clientId: request.clientId,
    clientSecret: endpoint?.clientSecret ?? PLACEHOLDER,
    scope: request.scope,
    authUrl: endpoint?.authUrl ?? request.tokenUrl.href,
    jwt: token.value,
    jwtExpiresAt: Math.floor(leaveAlone(expiresAt.getTime(), wall, left, life)),
    jwtLifetime: Math.max(1, Math.floor(life / 1000)) * 1000,
  };
}

/** From when on the providers leave a token alone that ends at `end` by its own word and in `left` by all we know. */
function leaveAlone(end: Milliseconds, wall: Milliseconds, left: Milliseconds, life: Milliseconds): Milliseconds {
  // Of a token near its end some is left for them: a date in the past would make them sign in.
  const margin = Math.min(MARGIN, life * MARGIN_SHARE, left / 2);
  // The token's own end is the same for all who look. Our clock may be wrong, though: half of the margin may be lost so.
  const own = Math.abs(end - (wall + left)) <= margin / 2 ? end : wall + left;
  return own - margin;
}

/** Whether an entry is by scm-auth: it holds no secret, or that of a loopback endpoint alone. */
export const isOurs = ({ authUrl, clientSecret }: Pick<AuthFileEntry, "authUrl" | "clientSecret">): boolean =>
  clientSecret === PLACEHOLDER || (loopbackPort(authUrl) !== undefined && JOB_SECRET.test(clientSecret));

/** Whether an entry is about this client and these scopes, in whatever order. */
export const belongsTo = (
  entry: Pick<AuthFileEntry, "clientId" | "scope">,
  request: Pick<AuthRequest, "clientId" | "scope">,
): boolean => entry.clientId === request.clientId && scopeSet(entry.scope) === scopeSet(request.scope);

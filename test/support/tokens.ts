import { generateKeyPair, randomUUID, sign as signBytes, type JsonWebKey, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { keepSecret } from "./canaries.ts";

/** A JSON object, such as the header or the claims of a token. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What stands in one of a token's first two segments: an object is written as JSON, text and bytes go in as they are. */
export type Segment = JsonObject | string | Uint8Array;

/** An RS256 key pair, and tokens signed with it. */
export interface Signer {
  readonly kid: string;
  /** The public key as it stands in a key set (RFC 7517), with `kid`, `use` and `alg`. */
  readonly jwk: Readonly<JsonWebKey>;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** A compact JWS of `claims`. `header` adds to `alg`, `typ` and `kid` or replaces them; what is undefined is left out. */
  readonly sign: (claims: Segment, header?: JsonObject) => string;
}

const makeKeyPair = promisify(generateKeyPair);

/** Makes an RS256 key pair (about 100 ms). Its `kid` holds `/` and `=`, as SCM's do, unless one is given. */
export async function makeSigner({ kid = newKeyId() }: { readonly kid?: string } = {}): Promise<Signer> {
  const { privateKey, publicKey } = await makeKeyPair("rsa", { modulusLength: 2048 });
  const rs256 = (input: Buffer): Buffer => signBytes("sha256", input, privateKey);
  return {
    kid,
    jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" },
    privateKey,
    publicKey,
    sign: (claims, header = {}) => compact({ alg: "RS256", typ: "JWT", kid, ...header }, claims, rs256),
  };
}

/** A key id with the characters that SCM's key ids have. */
export const newKeyId = (): string => `${randomUUID().replaceAll("-", "/")}=`;

/** What an honest token is about. */
export interface Honesty {
  readonly clientId: string;
  /** Digits of the tenant. */
  readonly tsgId: string;
  readonly issuer?: string;
  /** When it is issued, in seconds since 1970. Default: now. */
  readonly now?: number;
  /** How long it lives, in seconds. Default: 900. */
  readonly ttl?: number;
}

/** The issuer that SCM writes into its tokens, port and all. */
export const SCM_ISSUER = "https://auth.apps.paloaltonetworks.com:443/am/oauth2";

/** The claims of a token as SCM issues it. Change what shall lie. */
export function honestClaims({ clientId, tsgId, issuer = SCM_ISSUER, now, ttl = 900 }: Honesty) {
  const iat = Math.floor(now ?? Date.now() / 1000);
  const subject = randomUUID();
  return {
    sub: subject,
    subname: subject,
    iss: issuer,
    aud: clientId,
    scope: ["profile", "email", `tsg_id:${tsgId}`],
    nbf: iat,
    iat,
    exp: iat + ttl,
    jti: randomUUID(),
    cts: "OAUTH2_STATELESS_GRANT",
    tokenName: "access_token",
    token_type: "Bearer",
    grant_type: "client_credentials",
    realm: "/",
    expires_in: ttl,
  } as const;
}

/** The characters of `segment` in base64url, without padding (RFC 7515 section 2). */
export const encodeSegment = (segment: Segment): string =>
  Buffer.from(
    typeof segment === "string" || segment instanceof Uint8Array ? segment : JSON.stringify(segment),
  ).toString("base64url");

/**
 * A token of any shape, also one that no library would make.
 *
 * @param sign - makes the signature of `header.payload`; text stands as it is in the last segment
 */
export function compact(header: Segment, payload: Segment, sign: (input: Buffer) => Uint8Array | string): string {
  const input = `${encodeSegment(header)}.${encodeSegment(payload)}`;
  const signature = sign(Buffer.from(input));
  const token = `${input}.${typeof signature === "string" ? signature : encodeSegment(signature)}`;
  // Text is no signature that says anything of a key.
  if (typeof signature !== "string") keepSecret("token", token);
  return token;
}

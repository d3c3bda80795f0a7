import { generateKeyPair, randomUUID, sign as signBytes, type JsonWebKey, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** A JSON object, such as the header or the claims of a token. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** One of a token's first two segments. Objects are serialized as JSON. Strings and bytes are used unchanged. */
export type Segment = JsonObject | string | Uint8Array;

/** An RS256 key pair that signs tokens. */
export interface Signer {
  readonly kid: string;
  /** The public key as in a JWK Set (RFC 7517), with `kid`, `use`, and `alg`. */
  readonly jwk: Readonly<JsonWebKey & { kty: string; n: string; e: string; kid: string }>;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /**
   * Creates a compact JWS for `claims`. Members of `header` are added to `alg`, `typ`, and `kid`, or replace them.
   * Undefined values are omitted.
   */
  readonly sign: (claims: Segment, header?: JsonObject) => string;
}

const createKeyPair = promisify(generateKeyPair);

/** Creates an RS256 key pair (about 100 ms). By default the `kid` contains `/` and `=`, as SCM's do. */
export async function createSigner({ kid = createKeyId() }: { readonly kid?: string } = {}): Promise<Signer> {
  const { privateKey, publicKey } = await createKeyPair("rsa", { modulusLength: 2048 });
  const { n = "", e = "" } = publicKey.export({ format: "jwk" });
  const rs256 = (input: Buffer): Buffer => signBytes("sha256", input, privateKey);
  return {
    kid,
    jwk: { kty: "RSA", n, e, kid, use: "sig", alg: "RS256" },
    privateKey,
    publicKey,
    sign: (claims, header = {}) => encodeJws({ alg: "RS256", typ: "JWT", kid, ...header }, claims, rs256),
  };
}

const createKeyId = (): string => `${randomUUID().replaceAll("-", "/")}=`;

/** The issuer in SCM's tokens, including the port. */
export const SCM_ISSUER = "https://auth.apps.paloaltonetworks.com:443/am/oauth2";

/** Options for valid claims. */
export interface ValidClaimsOptions {
  readonly clientId: string;
  /** The tenant ID, which consists of digits. */
  readonly tsgId: string;
  readonly issuer?: string;
  /** The time of issue, in seconds since 1970. Default: now. */
  readonly now?: number;
  /** The lifetime in seconds. Default: 900. */
  readonly ttl?: number;
}

/** Creates claims like those that SCM issues. `scope` is an array, and `sub` is not the client ID. */
export function validClaims({ clientId, tsgId, issuer = SCM_ISSUER, now, ttl = 900 }: ValidClaimsOptions) {
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
    auth_time: iat,
    realm: "/",
    expires_in: ttl,
  };
}

/** Encodes `segment` in base64url without padding (RFC 7515 section 2). */
export const encodeSegment = (segment: Segment): string =>
  Buffer.from(
    typeof segment === "string" || segment instanceof Uint8Array ? segment : JSON.stringify(segment),
  ).toString("base64url");

/**
 * Creates a compact JWS of any form, including forms that no library produces.
 *
 * @param sign - returns the signature of `header.payload`; a returned string is used as the last segment unchanged
 */
export function encodeJws(header: Segment, payload: Segment, sign: (input: Buffer) => Uint8Array | string): string {
  const input = `${encodeSegment(header)}.${encodeSegment(payload)}`;
  const signature = sign(Buffer.from(input));
  return `${input}.${typeof signature === "string" ? signature : encodeSegment(signature)}`;
}

/** Returns the claims of a token without verifying it. */
export const readClaims = (
  token: string,
): JsonObject & { readonly exp: number; readonly scope: string | readonly string[] } =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as ReturnType<typeof readClaims>;

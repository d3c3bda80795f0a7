import { generateKeyPair, randomUUID, sign as signBytes, type JsonWebKey, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** A JSON object, such as the header or the claims of a token. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** One of a token's first two segments: an object is written as JSON, strings and bytes are used as they are. */
export type Segment = JsonObject | string | Uint8Array;

/** An RS256 key pair that signs tokens. */
export interface Signer {
  readonly kid: string;
  /** The public key as in a JWK Set (RFC 7517), with `kid`, `use` and `alg`. */
  readonly jwk: Readonly<JsonWebKey & { kty: string; n: string; e: string; kid: string }>;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** A compact JWS of `claims`. `header` adds to `alg`, `typ` and `kid` or replaces them; undefined values are omitted. */
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

/** The issuer in SCM's tokens, with the port. */
export const SCM_ISSUER = "https://auth.apps.paloaltonetworks.com:443/am/oauth2";

/** The subject of valid claims. */
export interface ValidClaimsOptions {
  readonly clientId: string;
  /** Digits of the tenant. */
  readonly tsgId: string;
  readonly issuer?: string;
  /** The time of issue, in seconds since 1970. Default: now. */
  readonly now?: number;
  /** The lifetime in seconds. Default: 900. */
  readonly ttl?: number;
}

/** The claims of a token as SCM issues it: `scope` is an array and `sub` is not the client. */
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

/** `segment` in base64url without padding (RFC 7515 section 2). */
export const encodeSegment = (segment: Segment): string =>
  Buffer.from(
    typeof segment === "string" || segment instanceof Uint8Array ? segment : JSON.stringify(segment),
  ).toString("base64url");

/**
 * A compact JWS of any shape, including those that no library writes.
 *
 * @param sign - returns the signature of `header.payload`; a string is the last segment as it is
 */
export function encodeJws(header: Segment, payload: Segment, sign: (input: Buffer) => Uint8Array | string): string {
  const input = `${encodeSegment(header)}.${encodeSegment(payload)}`;
  const signature = sign(Buffer.from(input));
  return `${input}.${typeof signature === "string" ? signature : encodeSegment(signature)}`;
}

/** The claims of a token, not verified. */
export const readClaims = (
  token: string,
): JsonObject & { readonly exp: number; readonly scope: string | readonly string[] } =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as ReturnType<typeof readClaims>;

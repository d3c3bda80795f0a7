import { createHmac, generateKeyPairSync, sign, type JsonWebKey } from "node:crypto";
import { encodeJws, type JsonObject } from "../../support/tokens.ts";
import { claims, keySet, otherSigner, signer, tokenResponse, validKeySet } from "../fixtures.ts";
import {
  BOTH_REQUESTS,
  fails,
  JWKS_AGAIN,
  type Harness,
  type Pattern,
  type RequestCounts,
  type Scenario,
} from "../scenario.ts";

const header = (changes: JsonObject): JsonObject => ({ alg: "RS256", typ: "JWT", kid: signer.kid, ...changes });
const publicPem = signer.publicKey.export({ type: "spki", format: "pem" });
const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
const smallJwk: JsonWebKey = { ...small.publicKey.export({ format: "jwk" }), kid: signer.kid };

/** Returns a valid token in which one segment was changed. */
function change(index: 0 | 1 | 2, edit: (segment: string) => string): string {
  const segments = signer.sign(claims()).split(".");
  return segments.map((segment, at) => (at === index ? edit(segment) : segment)).join(".");
}
const editText = (edit: (text: string) => string) => (segment: string) =>
  Buffer.from(edit(Buffer.from(segment, "base64url").toString())).toString("base64url");

const ALGORITHM = /algorithm|RS256/;
const SIGNATURE = /signature/;
const NO_KEY = /key/;
const EXTENSIONS = /unsupported extensions \(crit\)/;

const FORGERIES: readonly (readonly [
  name: string,
  create: (harness: Harness) => string,
  error: Pattern,
  options?: { readonly keys?: typeof validKeySet; readonly requests?: RequestCounts },
])[] = [
  ["with alg: none", () => encodeJws(header({ alg: "none" }), claims(), () => "AAAA"), ALGORITHM],
  ["signed with HS256 and the public key as the secret", () => encodeJws(header({ alg: "HS256" }), claims(), (input) => createHmac("sha256", publicPem).update(input).digest()), ALGORITHM],
  ["signed with another key but with the correct kid", () => otherSigner.sign(claims(), { kid: signer.kid }), SIGNATURE],
  ["signed with another key and its own kid", () => otherSigner.sign(claims()), NO_KEY, { requests: JWKS_AGAIN }],
  ["signed with another key and with a key URL (jku)", ({ other }) => otherSigner.sign(claims(), { kid: signer.kid, jku: other.jwksUrl }), SIGNATURE],
  ["signed with a 1024-bit key in the key set", () => encodeJws(header({}), claims(), (input) => sign("sha256", input, small.privateKey)), /./, { keys: keySet(smallJwk), requests: { token: 1, jwks: [1, 20] } }],
  ["with a changed payload", () => change(1, editText((text) => text.replace("Bearer", "Beares"))), SIGNATURE],
  ["with crit: null", () => signer.sign(claims(), { crit: null }), EXTENSIONS],
]; // prettier-ignore

export const forgedTokens: readonly Scenario[] = FORGERIES.map(
  ([name, create, error, { keys = validKeySet, requests = BOTH_REQUESTS } = {}]) => ({
    name: `rejects a token ${name}`,
    server: (harness) => ({ token: () => tokenResponse(create(harness)), jwks: keys }),
    expect: fails(error, requests),
  }),
);

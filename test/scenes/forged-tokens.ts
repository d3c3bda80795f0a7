import {
  constants,
  createHmac,
  generateKeyPairSync,
  sign,
  type JsonWebKey,
  type KeyObject,
  type SignKeyObjectInput,
} from "node:crypto";

import { compact } from "../support/tokens.ts";
import { claims, give, giveKeys, keySet, signer, stranger } from "./cast.ts";
import { ALGORITHM, ENCODING, FORGED, HEADER, headed, lie, UNKNOWN } from "./lie.ts";
import { fails, LOOKED_AGAIN, shown, type Scene, type Stage } from "./scene.ts";

const hmac = (secret: string | Buffer) => (input: Buffer) => createHmac("sha256", secret).update(input).digest();
const signed =
  (hash: string, options: Partial<SignKeyObjectInput> = {}) =>
  (input: Buffer) =>
    sign(hash, input, { key: signer.privateKey, ...options });
const pem = signer.publicKey.export({ type: "spki", format: "pem" });

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ecJwk = { ...ec.publicKey.export({ format: "jwk" }), kid: signer.kid, use: "sig", alg: "ES256" };
const ecSign = (input: Buffer) => sign("sha256", input, { key: ec.privateKey, dsaEncoding: "ieee-p1363" });

const ALGORITHMS: readonly Scene[] = [
  ...["none", "NONE", ""].map((alg) =>
    lie(
      `a token with alg "${alg}" and the signature of another`,
      () => compact(headed({ alg }), claims(), () => "AAAA"),
      ALGORITHM,
    ),
  ),
  lie("an unsigned token (alg none)", () => compact(headed({ alg: "none" }), claims(), () => ""), ENCODING),
  lie("an unsigned token (alg RS256)", () => compact(headed({}), claims(), () => ""), ENCODING),
  ...Object.entries<string | Buffer>({
    "the public key's PEM text": pem,
    "the public key's JWK text": JSON.stringify(signer.jwk),
    "the public key's modulus": Buffer.from(signer.jwk.n ?? "", "base64url"),
    "an empty key": "",
  }).map(([what, secret]) =>
    lie(
      `a token signed by HS256 with ${what}`,
      () => compact(headed({ alg: "HS256" }), claims(), hmac(secret)),
      ALGORITHM,
    ),
  ),
  lie("a token signed by RS384", () => compact(headed({ alg: "RS384" }), claims(), signed("sha384")), ALGORITHM),
  lie("a token signed by RS512", () => compact(headed({ alg: "RS512" }), claims(), signed("sha512")), ALGORITHM),
  lie("a token signed by RS1", () => compact(headed({ alg: "RS1" }), claims(), signed("sha1")), ALGORITHM),
  lie(
    "a token signed by PS256",
    () =>
      compact(
        headed({ alg: "PS256" }),
        claims(),
        signed("sha256", { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
      ),
    ALGORITHM,
  ),
  lie(
    "a token signed by PS256 that calls itself RS256",
    () => compact(headed({}), claims(), signed("sha256", { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })),
    FORGED,
  ),
  lie("a token signed by RS512 that calls itself RS256", () => compact(headed({}), claims(), signed("sha512")), FORGED),
  lie(
    "a token signed by ES256, its key beside the right one",
    () => compact(headed({ alg: "ES256" }), claims(), ecSign),
    ALGORITHM,
    { keys: keySet(ecJwk, signer.jwk) },
  ),
  lie("a token signed by ES256 that calls itself RS256", () => compact(headed({}), claims(), ecSign), FORGED, {
    keys: keySet(ecJwk, signer.jwk),
  }),
  ...["rs256", "RS2560"].map((alg) =>
    lie(`an honest signature under the alg "${alg}"`, () => signer.sign(claims(), { alg }), ALGORITHM),
  ),
  ...[["RS256"], 256, null, undefined].map((alg) =>
    lie(`an honest signature under an alg that is ${shown(alg)}`, () => signer.sign(claims(), { alg }), HEADER),
  ),
];

interface Rsa {
  readonly jwk: JsonWebKey;
  readonly privateKey: KeyObject;
}

function makeRsa(modulusLength: number): Rsa {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength });
  return { privateKey, jwk: { ...publicKey.export({ format: "jwk" }), use: "sig", alg: "RS256" } };
}

let smallKey: Rsa | undefined;
/** A key too short to be safe, and what it signs. */
function small(): { readonly jwk: JsonWebKey & { readonly kid: string }; readonly token: string } {
  const { jwk, privateKey } = (smallKey ??= makeRsa(1024));
  const token = compact(headed({}), claims(), (input) => sign("sha256", input, privateKey));
  return { jwk: { ...jwk, kid: signer.kid }, token };
}

const attackerUrl = (name: string) => (stage: Stage) =>
  stranger.sign(claims(), { kid: signer.kid, [name]: stage.other.jwksUrl });

/** Keys that the token brings along. The attacker's server gets no request in any of these. */
const KEYS: readonly Scene[] = [
  lie("a stranger's token under the right kid", () => stranger.sign(claims(), { kid: signer.kid }), FORGED),
  lie("a stranger's token under its own kid", () => stranger.sign(claims()), UNKNOWN, { requests: LOOKED_AGAIN }),
  lie("a stranger's token without a kid", () => stranger.sign(claims(), { kid: undefined }), FORGED),
  lie(
    "a stranger's token that brings its key (jwk)",
    () => stranger.sign(claims(), { kid: signer.kid, jwk: stranger.jwk }),
    FORGED,
  ),
  lie(
    "a stranger's token that brings its key under its own kid",
    () => stranger.sign(claims(), { jwk: stranger.jwk }),
    UNKNOWN,
    { requests: LOOKED_AGAIN },
  ),
  lie(
    "a stranger's token that brings its key and no kid",
    () => stranger.sign(claims(), { kid: undefined, jwk: stranger.jwk }),
    FORGED,
  ),
  ...["jku", "x5u"].map((name) =>
    lie(`a stranger's token that says where its key is (${name})`, attackerUrl(name), FORGED),
  ),
  lie(
    "a stranger's token that brings a certificate (x5c)",
    () =>
      stranger.sign(claims(), {
        kid: signer.kid,
        x5c: [stranger.publicKey.export({ type: "spki", format: "der" }).toString("base64")],
      }),
    FORGED,
  ),
  lie("a stranger's token under a kid of two strangers", () => stranger.sign(claims(), { kid: signer.kid }), FORGED, {
    keys: keySet(signer.jwk, { ...makeRsa(2048).jwk, kid: signer.kid }),
  }),
  lie("a token by a key of 1024 bits, which is in the key set", () => small().token, FORGED, {
    keys: keySet(small().jwk),
  }),
  lie("a token by a key that may only encrypt", () => stranger.sign(claims()), UNKNOWN, {
    requests: LOOKED_AGAIN,
    keys: keySet({ ...stranger.jwk, use: "enc" }, signer.jwk),
  }),
  lie("a token by a key of the set that has no kid", () => stranger.sign(claims()), UNKNOWN, {
    requests: LOOKED_AGAIN,
    keys: keySet({ ...stranger.jwk, kid: undefined }, signer.jwk),
  }),
  ...[
    "../jwk_uri",
    "",
    "constructor",
    "k".repeat(256),
    `${signer.kid} `,
    signer.kid.toUpperCase(),
    "*",
    "' OR 1=1 --",
  ].map((kid) =>
    lie(
      `an honest signature under the kid ${JSON.stringify(kid).slice(0, 30)}`,
      () => signer.sign(claims(), { kid }),
      UNKNOWN,
      { requests: LOOKED_AGAIN },
    ),
  ),
  ...["k".repeat(257), 7, null, [signer.kid], { kid: signer.kid }].map((kid) =>
    lie(
      `an honest signature under a kid that is ${JSON.stringify(kid).slice(0, 30)}`,
      () => signer.sign(claims(), { kid }),
      HEADER,
    ),
  ),
  {
    name: "when the keys can't be asked for again the token is refused",
    inputs: { "max-retries": "0" },
    server: { token: give(() => stranger.sign(claims())), keys: [giveKeys, { status: 500 }] },
    expect: fails("signing keys was answered with status 500", "The fault is on the server's side.", LOOKED_AGAIN),
  },
];

/** Tokens that were not signed as they must be, or not by whom they must. */
export const forgedTokens: readonly Scene[] = [...ALGORITHMS, ...KEYS];

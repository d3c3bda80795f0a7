import type { ScriptedHandler } from "../support/scripted-server.ts";
import { HTML, keySet, page, refusal, signer, stranger } from "./cast.ts";
import { fails, type Part, type Scene } from "./scene.ts";

const HTTP = "HTTP error: ";
const SERVER_FAULT = "The fault is on the server's side.";
const CHECK_URL = "Check the token URL and key URL";
const KEYS = "signing keys";
/** Key answers that are of no use: what is said, and how many requests come. */
const KEY_ANSWERS: Readonly<
  Record<string, readonly [answer: ScriptedHandler, cause: Part, hint: Part, keys?: number]>
> = {
  "status 404": [{ status: 404 }, `${HTTP}the request for the ${KEYS} was answered with status 404.`, CHECK_URL],
  "status 401": [{ status: 401 }, "status 401", CHECK_URL],
  "status 500 for ever": [{ status: 500 }, /signing keys was answered with status 500 \(2 tries\)/, SERVER_FAULT, 2],
  "status 429 for ever": [{ status: 429 }, /signing keys was answered with status 429 \(2 tries\)/, /./, 2],
  "a web page": [page(200, HTML), `the request for the ${KEYS} was answered with a web page.`, "captive portal"],
  "a line of text": [{ body: "keys" }, "a text that is no JSON (2 tries)", /./, 2],
  nothing: [{ body: "" }, "a text that is no JSON (2 tries)", /./, 2],
  "an OAuth error": [refusal("invalid_request"), "answered with status 400", CHECK_URL],
  "an empty object": [{ body: {} }, `a JSON object with a list "keys"`, "Check the key URL."],
  "a bare list": [{ body: [signer.jwk] }, `a JSON object with a list "keys"`, "Check the key URL."],
  null: [{ body: "null" }, `a JSON object with a list "keys"`, "Check the key URL."],
  "keys that are no list": [{ body: { keys: signer.jwk } }, `a JSON object with a list "keys"`, "Check the key URL."],
  "no keys": [keySet(), "the key set holds no RSA key for signing.", "Check the key URL."],
  "keys for encryption alone": [keySet({ ...signer.jwk, use: "enc" }), "no RSA key for signing", "RFC 7517"],
  "keys for other algorithms alone": [keySet({ ...signer.jwk, alg: "RS512" }), "no RSA key for signing", "RFC 7517"],
  "keys that may not verify": [keySet({ ...signer.jwk, key_ops: ["encrypt"] }), "no RSA key for signing", "RFC 7517"],
  "symmetric keys alone": [
    keySet({ kty: "oct", k: "c2VjcmV0", kid: signer.kid }),
    "no RSA key for signing",
    "RFC 7517",
  ],
  "elliptic keys alone": [keySet({ kty: "EC", crv: "P-256", x: "AA", y: "AA" }), "no RSA key for signing", "RFC 7517"],
  "a stranger's key": [keySet(stranger.jwk), "no signing key has the token's key id (kid).", "belong to one server", 2],
  "30 MB": [
    { body: `{"keys":[],"x":"${"x".repeat(30_000_000)}"}` },
    "the answer is larger than 1024 KiB.",
    "not SCM's",
  ],
};

/** Key answers that leave the token unproved. */
export const keyAnswers: readonly Scene[] = Object.entries(KEY_ANSWERS).map(
  ([what, [answer, cause, hint, keys = 1]]) => ({
    name: `a key answer of ${what} leaves the token unproved`,
    inputs: { timeout: "2" },
    server: { keys: answer },
    expect: fails(cause, hint, { token: [0, 2], keys }),
  }),
);

import { sign } from "node:crypto";

import { compact, type JsonObject } from "../support/tokens.ts";
import { claims, signer } from "./cast.ts";
import { ALGORITHM, CLAIMS, CRIT, ENCODING, FORGED, HEADER, lie, OPAQUE, PAYLOAD } from "./lie.ts";
import type { Scene } from "./scene.ts";

const rs256 = (input: Buffer) => sign("sha256", input, signer.privateKey);
type Parts = readonly [header: string, payload: string, signature: string];
const honest = (header?: JsonObject): Parts => signer.sign(claims(), header).split(".") as unknown as Parts;
const text = (segment: string): string => Buffer.from(segment, "base64url").toString();
const segment = (json: string): string => Buffer.from(json).toString("base64url");

/** The next character of base64url's alphabet, which differs in the lowest bit. */
const flipLastBit = (part: string): string => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return part.slice(0, -1) + (alphabet[alphabet.indexOf(part.at(-1) ?? "") ^ 1] ?? "");
};

/** An honest token whose signature has both characters that base64 writes otherwise. */
function honestWithBoth(): string {
  for (;;) {
    const token = signer.sign(claims());
    const signature = token.split(".")[2] ?? "";
    if (signature.includes("-") && signature.includes("_")) return token;
  }
}

/** Tokens that are not written as they must be, or were changed on their way. */
export const malformedTokens: readonly Scene[] = [
  lie(
    "a token with a bit of the header flipped",
    () => {
      const [h, p, s] = honest();
      return [segment(text(h).replace("JWT", "JWU")), p, s].join(".");
    },
    FORGED,
  ),
  lie(
    "a token with a bit of the payload flipped",
    () => {
      const [h, p, s] = honest();
      return [h, segment(text(p).replace("Bearer", "Beares")), s].join(".");
    },
    FORGED,
  ),
  lie(
    "a token with a bit of the signature flipped",
    () => {
      const [h, p, s] = honest();
      return [h, p, (s.startsWith("A") ? "B" : "A") + s.slice(1)].join(".");
    },
    FORGED,
  ),
  lie(
    "a token with another's payload",
    () => {
      const [h, , s] = honest();
      return [h, honest()[1], s].join(".");
    },
    FORGED,
  ),
  lie(
    "a token with another's signature",
    () => {
      const [h, p] = honest();
      return [h, p, honest()[2]].join(".");
    },
    FORGED,
  ),
  lie(
    "a token with a signature of zeros",
    () => {
      const [h, p] = honest();
      return [h, p, "A".repeat(342)].join(".");
    },
    FORGED,
  ),
  lie(
    "a token with a short signature",
    () => {
      const [h, p] = honest();
      return [h, p, "AAAA"].join(".");
    },
    FORGED,
  ),
  lie(
    "a token whose signature has a byte too many",
    () => {
      const [h, p, s] = honest();
      return [h, p, Buffer.concat([Buffer.from(s, "base64url"), Buffer.of(0)]).toString("base64url")].join(".");
    },
    FORGED,
  ),
  lie(
    "a token whose signature has trailing bits",
    () => {
      const [h, p, s] = honest();
      return [h, p, flipLastBit(s)].join(".");
    },
    ENCODING,
  ),
  lie("a token with padding", () => `${signer.sign(claims())}==`, ENCODING),
  lie("a token in the alphabet of base64", () => honestWithBoth().replaceAll("-", "+").replaceAll("_", "/"), ENCODING),
  lie("a token of one part and two full stops", () => `${honest()[0]}..`, ENCODING),
  lie(
    "a token without a payload",
    () => {
      const [h, , s] = honest();
      return [h, "", s].join(".");
    },
    ENCODING,
  ),
  lie("a token of two parts", () => honest().slice(0, 2).join("."), OPAQUE),
  lie("a token of four parts", () => `${signer.sign(claims())}.AAAA`, OPAQUE),
  lie("a token of five parts, as an encrypted one has", () => `${signer.sign(claims())}.AAAA.AAAA`, OPAQUE),
  lie("a token of full stops", () => "........", OPAQUE),
  lie("an opaque token", () => "9f27c1aa-opaque-token-0123456789", OPAQUE),
  lie("a token whose header is a list", () => compact('["RS256"]', claims(), rs256), HEADER),
  lie(
    "a token whose header names the algorithm twice",
    () => compact(`{"alg":"RS256","kid":${JSON.stringify(signer.kid)},"alg":"none"}`, claims(), rs256),
    ALGORITHM,
  ),
  lie(
    "a token whose header is no UTF-8",
    () =>
      compact(
        Buffer.concat([Buffer.from('{"alg":"RS256","x":"'), Buffer.of(0xff), Buffer.from('"}')]),
        claims(),
        rs256,
      ),
    HEADER,
  ),
  ...[["b64"], ["made-up"], [], null].map((crit) =>
    lie(`a token with crit: ${JSON.stringify(crit)}`, () => signer.sign(claims(), { crit, b64: true }), CRIT),
  ),
  lie(
    "a token whose payload is not encoded (b64: false)",
    () => signer.sign(claims(), { b64: false, crit: ["b64"] }),
    CRIT,
  ),
  ...Object.entries({
    text: "not json",
    "cut JSON": '{"aud":',
    "JSON with NaN": JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":NaN'),
  }).map(([what, payload]) => lie(`a token whose payload is ${what}`, () => signer.sign(payload), PAYLOAD)),
  lie(
    "a token whose payload is no UTF-8",
    () =>
      signer.sign(
        Buffer.concat([
          Buffer.from(JSON.stringify(claims()).slice(0, -1)),
          Buffer.from(',"x":"'),
          Buffer.of(0xc3, 0x28),
          Buffer.from('"}'),
        ]),
      ),
    PAYLOAD,
  ),
  ...["[]", '"text"', "null"].map((payload) =>
    lie(`a token whose payload is ${payload}`, () => signer.sign(payload), CLAIMS),
  ),
  lie(
    "a token of many claims twice, the last one foreign",
    () => signer.sign(JSON.stringify(claims()).replace(/\}$/, ',"aud":"someone-else"}')),
    "Authentication error: the token's audience (aud) is not this client id.",
  ),
  lie(
    "a token of claims nested ten thousand deep",
    () =>
      signer.sign(
        JSON.stringify(claims({ aud: "x" })).replace(/\}$/, `,"x":${"[".repeat(10_000)}${"]".repeat(10_000)}}`),
      ),
    "Authentication error: the token's audience (aud) is not this client id.",
  ),
];

import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthError } from "../../../shared/report/errors.ts";
import { decodeJws, isJws } from "../../../shared/token/jws.ts";
import * as fc from "../../support/fuzzing.ts";
import { compact, encodeSegment, type Segment } from "../../support/tokens.ts";
import { foreignText, grapheme } from "../../support/texts.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const made = (header: Segment, payload: Segment = { sub: "x" }, signature: Segment = "signature"): string =>
  compact(header, payload, () => encodeSegment(signature));

function assertMalformed(token: string, says = ""): void {
  assert.throws(
    () => decodeJws(token),
    (error) => {
      assert.ok(AuthError.isAuthError(error), String(error));
      assert.deepEqual([error.kind, error.code], ["verification", "malformed_token"], JSON.stringify(token));
      assert.match(error.message, /: the token .+\.$/);
      assert.ok(error.message.includes(says), error.message);
      return true;
    },
  );
}

const jsonValue = fc.jsonValue({ maxDepth: 2 });

test("what was signed is what is read, and keys that the token offers are not", () => {
  const kids = fc.option(fc.string({ unit: grapheme, maxLength: 30 }), { nil: undefined });
  fc.assert(
    fc.property(fc.string(), kids, jsonValue, (alg, kid, payload) => {
      const header = { alg, kid, typ: "JWT", jku: "https://evil.test", jwk: {}, x5c: [], x5u: "https://evil.test" };
      const decoded = decodeJws(made(header, JSON.stringify(payload)));
      assert.deepEqual(decoded, { alg, kid, payload: JSON.parse(JSON.stringify(payload)) as unknown });
    }),
  );
});

/** Other ways to write the bytes of a segment, all of which a careless decoder takes. */
const rewrite: readonly ((segment: string, at: number) => string)[] = [
  (segment) => `${segment}=`,
  (segment) => `${segment}==`,
  (segment, at) => `${segment.slice(0, at)}\n${segment.slice(at)}`,
  (segment, at) => `${segment.slice(0, at)} ${segment.slice(at)}`,
  (segment, at) => `${segment.slice(0, at)}\u0000${segment.slice(at)}`,
  (segment, at) => `${segment.slice(0, at)}é${segment.slice(at)}`,
  (segment) => segment.replaceAll("-", "+"),
  (segment) => segment.replaceAll("_", "/"),
  // A character that gives no byte.
  (segment) => (segment.length % 4 === 0 ? `${segment}A` : segment),
  // Bits that belong to no byte.
  (segment) => {
    const spare = segment.length % 4 === 2 ? 15 : segment.length % 4 === 3 ? 3 : 0;
    return segment.slice(0, -1) + (ALPHABET[ALPHABET.indexOf(segment.at(-1) ?? "") | spare] ?? "");
  },
];

test("bytes in any other writing than canonical base64url are refused", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
  const which = fc.nat(2);
  fc.assert(
    fc.property(bytes, which, fc.constantFrom(...rewrite), fc.nat(), (signature, part, change, at) => {
      const segments = made({ alg: "RS256" }, { a: "??>>~~" }, signature).split(".");
      const segment = segments[part] ?? "";
      const changed = change(segment, at % (segment.length + 1));
      fc.pre(changed !== segment);
      segments[part] = changed;
      assertMalformed(segments.join("."));
    }),
    { numRuns: 1000 },
  );
});

const THREE_PARTS = "three parts in canonical base64url";
const HEADER = "header that is not as it must be (alg, kid)";
const MALFORMED: readonly (readonly [what: string, token: string, says: string])[] = [
  ["nothing", "", THREE_PARTS],
  ["one part", "abc", THREE_PARTS],
  ["two parts", made({ alg: "RS256" }).split(".").slice(0, 2).join("."), THREE_PARTS],
  ["four parts", `${made({ alg: "RS256" })}.e30`, THREE_PARTS],
  ["the five parts of an encrypted token", `${made({ alg: "dir" })}.e30.e30`, THREE_PARTS],
  ["an empty signature", `${made({ alg: "none" }).split(".").slice(0, 2).join(".")}.`, THREE_PARTS],
  ["an empty body", made({ alg: "RS256" }, ""), THREE_PARTS],
  ["a header that is no JSON", made("alg"), HEADER],
  ["a header that is a list", made("[]"), HEADER],
  ["a header that is null", made("null"), HEADER],
  ["no alg", made({ kid: "1" }), HEADER],
  ["an alg that is no text", made({ alg: ["RS256"] }), HEADER],
  ["a kid that is no text", made({ alg: "RS256", kid: 1 }), HEADER],
  ["a kid that is null", made({ alg: "RS256", kid: null }), HEADER],
  ["a kid of 257 characters", made({ alg: "RS256", kid: "k".repeat(257) }), HEADER],
  ["an extension", made({ alg: "RS256", crit: ["b64"], b64: false }), "extension (crit)"],
  ["no extension, but the wish for one", made({ alg: "RS256", crit: [] }), "extension (crit)"],
  ["an extension that is null", made({ alg: "RS256", crit: null }), "extension (crit)"],
  [
    "a header that is not UTF-8",
    made(Buffer.concat([Buffer.from('{"alg":"RS256'), Buffer.of(0xff), Buffer.from('"}')])),
    HEADER,
  ],
  ["a body that is no JSON", made({ alg: "RS256" }, "claims"), "body that is no JSON"],
  ["a body that is not UTF-8", made({ alg: "RS256" }, Buffer.of(0x22, 0xff, 0x22)), "body that is no JSON"],
  ["two bodies", made({ alg: "RS256" }, "{}{}"), "body that is no JSON"],
];
for (const [what, token, says] of MALFORMED) {
  test(`a token of ${what} is malformed, and told so`, () => {
    assertMalformed(token, says);
  });
}

test("a key id may have 256 characters, of any kind, or none", () => {
  for (const kid of ["k".repeat(256), "", "a/b=", "é\n"]) assert.equal(decodeJws(made({ alg: "RS256", kid })).kid, kid);
});

test("nothing but an AuthError comes of any text, and what is taken means to be a JWS", () => {
  const text = fc.oneof(
    foreignText,
    fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join(".")),
  );
  fc.assert(
    fc.property(text, (token) => {
      try {
        decodeJws(token);
        assert.ok(isJws(token));
      } catch (error) {
        assert.ok(AuthError.isAuthError(error), String(error));
      }
    }),
  );
});

const KINDS: readonly (readonly [what: string, token: string, means: boolean])[] = [
  ["a JWS", made({ alg: "RS256" }), true],
  ["a JWS without a signature", "eyJhbGciOiJub25lIn0.e30.", true],
  ["a JWS in the other alphabet and padded", "eyJhbGciOiJub25lIn0=.e30=.x", true],
  ["a JWS of nonsense", "e30.nonsense.nonsense", true],
  ["an encrypted token", "eyJhbGciOiJkaXIifQ....", false],
  ["text with two dots", "a.b.c", false],
  ["text", "AAAAAAAAAAAAAAAAAAAA", false],
  ["nothing", "", false],
];
for (const [what, token, means] of KINDS) {
  test(`${what} ${means ? "means" : "does not mean"} to be a JWS`, () => {
    assert.equal(isJws(token), means);
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthError } from "../../shared/errors.ts";
import { decodeJsonSegment, decodeJwt, looksLikeJwt } from "../../shared/jwt.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import { foreignText, grapheme } from "../support/texts.ts";
import { encodeJws, encodeSegment, type Segment } from "../support/tokens.ts";

const encode = (header: Segment, payload: Segment = { sub: "x" }, signature: Segment = "signature"): string =>
  encodeJws(header, payload, () => encodeSegment(signature));

function assertMalformed(token: string, description = ""): void {
  assert.throws(
    () => decodeJwt(token),
    (error) => {
      assert.ok(AuthError.isAuthError(error), String(error));
      assert.deepEqual([error.kind, error.code], ["verification", "malformed_token"], JSON.stringify(token));
      assert.ok(error.description.includes(description), error.message);
      return true;
    },
  );
}

test("decodeJwt returns alg, kid, and payload, and ignores keys in the header", () => {
  const kids = fc.option(fc.string({ unit: grapheme, maxLength: 30 }), { nil: undefined });
  fc.assert(
    fc.property(fc.string(), kids, fc.jsonValue({ maxDepth: 2 }), (alg, kid, payload) => {
      const header = { alg, kid, typ: "JWT", jku: "https://evil.test", jwk: {}, x5c: [], x5u: "https://evil.test" };
      const decoded = decodeJwt(encode(header, JSON.stringify(payload)));
      assert.deepEqual(decoded, { alg, kid, payload: JSON.parse(JSON.stringify(payload)) as unknown });
    }),
  );
});

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Noncanonical encodings that lenient decoders accept for the same bytes. */
const REENCODINGS: readonly ((segment: string, at: number) => string)[] = [
  (segment) => `${segment}=`,
  (segment) => `${segment}==`,
  ...["\n", " ", "\u0000", "é"].map(
    (character) => (segment: string, at: number) => segment.slice(0, at) + character + segment.slice(at),
  ),
  (segment) => segment.replaceAll("-", "+"),
  (segment) => segment.replaceAll("_", "/"),
  // An extra character that encodes no complete byte.
  (segment) => (segment.length % 4 === 0 ? `${segment}A` : segment),
  // Unused bits that are set.
  (segment) => {
    const unused = segment.length % 4 === 2 ? 15 : segment.length % 4 === 3 ? 3 : 0;
    return segment.slice(0, -1) + (ALPHABET[ALPHABET.indexOf(segment.at(-1) ?? "") | unused] ?? "");
  },
];

test("decodeJwt rejects segments that are not canonical base64url", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(bytes, fc.nat(2), fc.constantFrom(...REENCODINGS), fc.nat(), (signature, part, reencode, at) => {
      const segments = encode({ alg: "RS256" }, { a: "??>>~~" }, signature).split(".");
      const segment = segments[part] ?? "";
      const changed = reencode(segment, at % (segment.length + 1));
      fc.pre(changed !== segment);
      assertMalformed(segments.with(part, changed).join("."));
    }),
    { numRuns: countRuns(500) },
  );
});

const FORM = "not a compact JWS";
const HEADER = "invalid header (alg, kid)";
const EXTENSIONS = "unsupported extensions (crit)";
const PAYLOAD = "payload that is not JSON";
const signed = encode({ alg: "RS256" });
const invalidUtf8 = Buffer.concat([Buffer.from('{"alg":"RS256'), Buffer.of(0xff), Buffer.from('"}')]);
const MALFORMED: readonly (readonly [name: string, token: string, description: string])[] = [
  ["an empty string", "", FORM],
  ["one segment", "abc", FORM],
  ["two segments", signed.split(".").slice(0, 2).join("."), FORM],
  ["four segments", `${signed}.e30`, FORM],
  ["an empty signature", signed.replace(/[^.]*$/, ""), FORM],
  ["an empty payload", encode({ alg: "RS256" }, ""), FORM],
  ["a header that is not JSON", encode("alg"), HEADER],
  ["an array as its header", encode("[]"), HEADER],
  ["null as its header", encode("null"), HEADER],
  ["a header that is not UTF-8", encode(invalidUtf8), HEADER],
  ["no alg", encode({ kid: "1" }), HEADER],
  ["an alg that is not a string", encode({ alg: ["RS256"] }), HEADER],
  ["a kid that is not a string", encode({ alg: "RS256", kid: 1 }), HEADER],
  ["kid: null", encode({ alg: "RS256", kid: null }), HEADER],
  ["a kid that is 257 characters long", encode({ alg: "RS256", kid: "k".repeat(257) }), HEADER],
  ["crit", encode({ alg: "RS256", crit: ["b64"], b64: false }), EXTENSIONS],
  ["crit: []", encode({ alg: "RS256", crit: [] }), EXTENSIONS],
  ["crit: null", encode({ alg: "RS256", crit: null }), EXTENSIONS],
  ["a payload that is not JSON", encode({ alg: "RS256" }, "claims"), PAYLOAD],
  ["a payload that is not UTF-8", encode({ alg: "RS256" }, Buffer.of(0x22, 0xff, 0x22)), PAYLOAD],
];
for (const [name, token, description] of MALFORMED) {
  test(`decodeJwt rejects a token with ${name}`, () => {
    assertMalformed(token, description);
  });
}

test("decodeJwt accepts a kid of up to 256 arbitrary characters", () => {
  for (const kid of ["k".repeat(256), "", "a/b=", "é\n"])
    assert.equal(decodeJwt(encode({ alg: "RS256", kid })).kid, kid);
});

test("decodeJwt throws only AuthErrors, and accepts only text that looks like a JWT", () => {
  const segments = fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join("."));
  fc.assert(
    fc.property(fc.oneof(foreignText, segments), (token) => {
      try {
        decodeJwt(token);
        assert.ok(looksLikeJwt(token));
      } catch (error) {
        assert.ok(AuthError.isAuthError(error), String(error));
      }
    }),
  );
});

test("looksLikeJwt recognizes three segments, the first of which is a JSON object, even if the JWT is invalid", () => {
  const tokens: Readonly<Record<string, boolean>> = {
    [signed]: true,
    "eyJhbGciOiJub25lIn0.e30.": true,
    "eyJhbGciOiJub25lIn0=.e30=.x": true,
    "e30.anything.anything": true,
    "eyJhbGciOiJkaXIifQ....": false,
    "bnVsbA.e30.x": false,
    "W10.e30.x": false,
    "a.b.c": false,
    opaque: false,
    "": false,
  };
  for (const [token, expected] of Object.entries(tokens)) assert.equal(looksLikeJwt(token), expected, token);
});

test("decodeJsonSegment returns undefined unless the segment is JSON in canonical base64url", () => {
  assert.deepEqual(decodeJsonSegment("e30"), {});
  for (const segment of ["", "e30=", "e31", "abc", "__8"]) assert.equal(decodeJsonSegment(segment), undefined, segment);
});

import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { test } from "node:test";

import { AuthError } from "../../shared/report/errors.ts";
import { decodeJws, isJws } from "../../shared/token/jws.ts";
import { keysFor, type SigningKey } from "../../shared/token/signing-keys.ts";
import { verifyToken } from "../../shared/token/verify-token.ts";
import { assertNoCanary, tokenCanaries } from "../support/canaries.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyJson, nearlyText } from "../support/nearly.ts";
import { isProvedByHand } from "../support/prove-by-hand.ts";
import { compact, honestClaims, makeSigner } from "../support/tokens.ts";

/** Tokens that are nearly honest: headers, claims, signatures and the text itself. */

const NOW = 1_769_860_860_000;
const clientId = "ci@1.iam.panserviceaccount.com";
const [signer, stranger] = await Promise.all([makeSigner({ kid: "a/b=" }), makeSigner({ kid: "stranger" })]);
const key: SigningKey = { kty: "RSA", n: signer.jwk.n ?? "", e: signer.jwk.e ?? "", kid: signer.kid };

const honest = honestClaims({ clientId, tsgId: "1", now: NOW / 1000 - 60 });
const expected = { clientId, tsgId: "1", issuer: honest.iss, now: NOW };

/** What a field of a token might be taken for. */
const seconds = NOW / 1000;
const others = [
  ...[clientId, [clientId, "other"], "tsg_id:1", ["tsg_id:1"], "tsg_id:11", "none", "RS512", "a/b=", ["exp"]],
  ...[seconds, seconds + 20, seconds + 30, seconds + 30.001, seconds + 0.001, NOW],
];
const header = { alg: "RS256", typ: "JWT", kid: signer.kid, crit: undefined, jwk: undefined };
const { aud, iss, scope, nbf, iat, exp } = honest;

const signatures = fc.constantFrom(
  ...Array.from({ length: 16 }, () => (input: Buffer) => sign("sha256", input, signer.privateKey)),
  (input: Buffer) => sign("sha256", input, stranger.privateKey),
  (input: Buffer) => sign("sha512", input, signer.privateKey),
  () => "",
  () => Buffer.alloc(256),
);

const good = { aud, iss, scope, nbf, iat, exp, sub: "é" };
const moments = fc.constantFrom(
  ...[-60, -1, -0.001, 0, 0.001, 20, 29.999, 30, 30.001, 900].map((from) => seconds + from),
);
const claims = fc.oneof(
  nearlyJson(good, others),
  nearlyText(nearlyJson(good, others), 1),
  fc
    .record({ nbf: moments, iat: moments, exp: moments }, { requiredKeys: [] })
    .map((times) => JSON.stringify({ ...good, ...times })),
);
/** In UTF-8, and sometimes in another encoding, which JSON must not have (RFC 8259 section 8.1). */
const bodies = fc
  .tuple(claims, fc.constantFrom(...Array.from({ length: 7 }, () => "utf8" as const), "latin1"))
  .map(([text, encoding]) => Buffer.from(text, encoding));

/** Signed after it was changed, so that what is changed is all that is wrong. */
const signedLies = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: fc.constant(JSON.stringify(header)) }, nearlyJson(header, others)),
    bodies,
    signatures,
  )
  .map(([head, body, signature]) => compact(head, body, signature));

const honestToken = signer.sign(honest);
const anyToken = fc.oneof(signedLies, signedLies, signedLies, nearlyText(signedLies, 1), nearlyText(honestToken));

async function prove(token: string): Promise<AuthError | undefined> {
  const findKeys = (kid: string | undefined) => Promise.resolve(keysFor([key], kid));
  const about = { clientId, tenants: ["1"], issuer: honest.iss };
  try {
    await verifyToken(token, findKeys, about, () => ({ wall: NOW, offset: 0 }));
    return undefined;
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    return error;
  }
}

test("a token that is nearly honest is proved when a second implementation proves it, else refused without being shown", async () => {
  let proved = 0;
  await fc.assert(
    fc.asyncProperty(anyToken, async (token) => {
      const error = await prove(token);
      assert.equal(error === undefined, isProvedByHand(token, [key], expected), `${error?.code ?? "proved"}: ${token}`);
      if (error === undefined) proved++;
      else {
        assert.equal(error.kind, "verification");
        assertNoCanary(tokenCanaries(token), { error: `${error.message}\n${error.hint}\n${error.stack ?? ""}` });
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(proved > 20, `${proved} tokens were proved`);
});

test("whatever means to be a token is decoded or malformed, and what is decoded means to be one", () => {
  fc.assert(
    fc.property(anyToken, (token) => {
      try {
        const { alg, kid } = decodeJws(token);
        assert.ok(isJws(token));
        assert.ok(typeof alg === "string" && (kid === undefined || typeof kid === "string"));
      } catch (error) {
        assert.ok(AuthError.isAuthError(error), String(error));
        assert.deepEqual([error.kind, error.code], ["verification", "malformed_token"]);
      }
    }),
  );
});

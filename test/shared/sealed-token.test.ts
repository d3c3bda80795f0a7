import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { AuthRequest, type AuthRequestInput } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import type { AuthError } from "../../shared/errors.ts";
import { type AuthErrorCode } from "../../shared/errors.ts";
import type { AuthEvent } from "../../shared/events.ts";
import { sealAccessToken, sealToken, unsealAndVerify, unsealToken, type SealableToken } from "../../shared/sealed-token.ts"; // prettier-ignore
import { createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { clientClaims, CLIENT_ID, createMovableClock, getAuthError, SECRET, signer, startScripted, tokenResponse, TSG_ID } from "../support/client-fixtures.ts"; // prettier-ignore
import { countRuns, fc } from "../support/fuzzing.ts";
import { nearValidText } from "../support/near-valid.ts";
import { decryptByReference, encryptByReference } from "../support/reference-jwe.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createSigner, encodeSegment } from "../support/tokens.ts";

const request = AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET });
const token = signer.sign(clientClaims());
/** The token is sealed only once because sealing takes about 100 ms. */
const sealed = await sealToken(request, token);

test("unseals a token with one JWKS request and no token request", async (t) => {
  const { server, request: own } = await startScripted(t);
  const events: AuthEvent[] = [];
  const { expiresAt, ...unsealed } = await unsealToken(own, sealed, { onEvent: (event) => events.push(event) });
  assert.deepEqual(unsealed, { accessToken: token, scope: `profile email tsg_id:${TSG_ID}`, tsgId: TSG_ID });
  assert.ok(expiresAt.getTime() > Date.now());
  assert.deepEqual([server.requestsTo("token").length, server.requestsTo("jwks").length], [0, 1]);
  assert.deepEqual([...new Set(events.map((event) => "request" in event && event.request))], ["jwks"]);
});

test("seals and unseals an AccessToken with sealAccessToken and unsealAndVerify", async (t) => {
  const { request: own } = await startScripted(t, { token: tokenResponse({ access_token: token }) });
  const context = createSignInContext(own);
  const limits = { deadline: systemClock.monotonic() + 20_000 };
  const text = await sealAccessToken(own, await requestToken(context, limits), systemClock);
  const unsealed = await unsealAndVerify(context, text, { minTtl: 60, limits });
  assert.deepEqual([unsealed.value, unsealed.signingKey?.kid], [token, signer.kid]);
});

test("accepts the fields of a request as well as the result of unsealToken", async (t) => {
  const { tokenUrl } = (await startScripted(t)).request;
  const fields = { clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl };
  const again = await sealToken(fields, await unsealToken(fields, sealed));
  assert.equal((await unsealToken(fields, again)).accessToken, token);
});

test("seals and unseals with a secret from a function, and can be aborted", async (t) => {
  const { tokenUrl } = (await startScripted(t)).request;
  const fields = { clientId: CLIENT_ID, clientSecret: () => Promise.resolve(SECRET), tokenUrl };
  assert.equal((await unsealToken(fields, await sealToken(fields, token))).accessToken, token);
  const signal = AbortSignal.abort("enough");
  for (const work of [sealToken(fields, token, { signal }), unsealToken(fields, sealed, { signal })])
    assert.equal((await getAuthError(work)).cause, "enough");
});

test("seals a token as a JWE whose header contains no identifying information", async () => {
  const [header = "", ...segments] = sealed.split(".");
  const { p2s, ...rest } = JSON.parse(Buffer.from(header, "base64url").toString()) as { readonly p2s: string };
  assert.deepEqual(rest, { alg: "PBES2-HS512+A256KW", enc: "A256GCM", p2c: 210_000 });
  const lengths = [p2s, ...segments].map((segment) => Buffer.from(segment, "base64url").length);
  assert.deepEqual(lengths, [16, 40, 12, token.length, 16]);
  assert.equal(decryptByReference(sealed, SECRET), token);
  assertNoSecret({ sealed }, [SECRET, token, CLIENT_ID]);
  const other = await sealToken(request, token);
  assert.deepEqual(
    other.split(".").map((segment, index) => segment === sealed.split(".")[index]),
    [false, false, false, false, false],
  );
});

test("unseals a JWE created by a second implementation", async (t) => {
  const { request: own } = await startScripted(t);
  for (const iterations of [210_000, 300_000])
    assert.equal((await unsealToken(own, encryptByReference(token, SECRET, iterations))).accessToken, token);
});

/** Returns the error that unsealing throws without sending a request. */
async function getUnsealError(text: string, input: Partial<AuthRequestInput> = {}): Promise<AuthError> {
  // No server listens on this port.
  const own = AuthRequest.parse({
    ...{ clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl: "http://127.0.0.1:1/access_token" },
    ...input,
  });
  const error = await getAuthError(unsealToken(own, text, { maxRetries: 0 }));
  assert.equal(error.kind, "verification", error.message);
  assertNoSecret({ error: `${error.message} ${error.hint}` }, [SECRET, token]);
  return error;
}

test("does not unseal a token with another client secret", async () => {
  assert.equal((await getUnsealError(sealed, { clientSecret: randomUUID() })).code, "sealed_token_decryption_failed");
});

test("reports a verification error to another client or tenant with the same secret", async () => {
  const other = "cd@1234567890.iam.panserviceaccount.com";
  for (const [change, expected] of [
    [{ clientId: other }, "audience_mismatch"],
    [{ tsgId: "2" }, "tenant_mismatch"],
  ] as const) {
    const { code, hint } = await getUnsealError(sealed, change);
    assert.equal(code, expected);
    assert.match(hint, /^The sealed token is for another client ID or tenant\./);
  }
});

test("rejects a forged token that is sealed with the correct secret", async (t) => {
  const { request: own } = await startScripted(t);
  const forged = (await createSigner()).sign(clientClaims(), { kid: signer.kid });
  assert.equal((await getAuthError(unsealToken(own, await sealToken(own, forged)))).code, "invalid_signature");
});

const valid = { alg: "PBES2-HS512+A256KW", enc: "A256GCM", p2c: 210_000, p2s: encodeSegment(Buffer.alloc(16)) };
const rest = sealed.slice(sealed.indexOf("."));
const withHeader = (header: object | string): string => encodeSegment(header as string) + rest;
const UNSUPPORTED: Readonly<Record<string, string>> = {
  "an empty string": "",
  "an access token": token,
  "four segments": sealed.split(".").slice(0, 4).join("."),
  "six segments": `${sealed}.AAAA`,
  "an empty segment": sealed.replace(/\.[^.]*$/, "."),
  "a padded segment": `${sealed}=`,
  "a line break at the end": `${sealed}\n`,
  "a header that is not JSON": withHeader("alg"),
  "an array as its header": withHeader("[]"),
  "alg dir": withHeader({ ...valid, alg: "dir" }),
  "alg PBES2-HS256+A128KW": withHeader({ ...valid, alg: "PBES2-HS256+A128KW" }),
  "no alg": withHeader({ ...valid, alg: undefined }),
  "enc A128CBC-HS256": withHeader({ ...valid, enc: "A128CBC-HS256" }),
  zip: withHeader({ ...valid, zip: "DEF" }),
  crit: withHeader({ ...valid, crit: ["exp"] }),
  "a kid": withHeader({ ...valid, kid: "1" }),
  "fewer iterations": withHeader({ ...valid, p2c: 209_999 }),
  "more than a million iterations": withHeader({ ...valid, p2c: 1_000_001 }),
  "the number of iterations as a string": withHeader({ ...valid, p2c: "210000" }),
  "a fractional number of iterations": withHeader({ ...valid, p2c: 210_000.5 }),
  "no salt": withHeader({ ...valid, p2s: undefined }),
  "a salt that is not a string": withHeader({ ...valid, p2s: 1 }),
};
for (const [name, text] of Object.entries(UNSUPPORTED)) {
  test(`rejects a malformed sealed token without deriving a key: ${name}`, async (t) => {
    const derive = t.mock.method(crypto.subtle, "deriveBits");
    assert.equal((await getUnsealError(text)).code, "sealed_token_malformed");
    assert.equal(derive.mock.callCount(), 0);
  });
}

test("rejects a JWE that does not contain a JWT as malformed", async () => {
  for (const plaintext of ["", "opaque-token", JSON.stringify({ access_token: token })])
    assert.equal((await getUnsealError(encryptByReference(plaintext, SECRET))).code, "sealed_token_malformed");
});

test("neither seals nor unseals text longer than 16 KiB", async () => {
  assert.equal((await getUnsealError("A".repeat(16_385))).code, "sealed_token_too_large");
  assert.equal((await getUnsealError("A".repeat(16_384))).code, "sealed_token_malformed");
  const long = signer.sign({ ...clientClaims(), padding: "x".repeat(10_000) });
  assert.equal((await getAuthError(sealToken(request, long))).code, "sealed_token_too_large");
});

test("reports an expired sealed token without sending a request", async () => {
  const expired = encryptByReference(signer.sign(clientClaims(Date.now() / 1000 - 1000)), SECRET);
  const error = await getUnsealError(expired);
  assert.equal(error.code, "sealed_token_expired");
  assert.match(error.message, /: the sealed token expired 1 min \d+ s ago/);
});

test("requires a sealed token to be valid for at least minTtl, by default 300 s", async (t) => {
  const { request: own } = await startScripted(t);
  const { clock, pass } = createMovableClock();
  pass(540_000);
  assert.ok(await unsealToken(own, sealed, { clock } as object));
  pass(80_000);
  const error = await getAuthError(unsealToken(own, sealed, { clock } as object));
  assert.equal(error.code, "sealed_token_expired");
  assert.match(error.message, /valid for only [34] min( \d+ s)?, less than/);
  assert.ok(await unsealToken(own, sealed, { clock, minTtl: 150 } as object));
  assert.equal(
    (await getAuthError(unsealToken(own, sealed, { clock, minTtl: 299 } as object))).code,
    "sealed_token_expired",
  );
});

const UNSEALABLE: readonly (readonly [name: string, token: string, code: AuthErrorCode])[] = [
  ["an opaque token", "opaque-token", "sealed_token_not_jwt"],
  ["an empty string", "", "sealed_token_not_jwt"],
  ["a malformed JWT", `${token}=`, "malformed_token"],
  ["an expired token", signer.sign(clientClaims(0)), "token_expired"],
  ["a token for another client", signer.sign({ ...clientClaims(), aud: "other" }), "audience_mismatch"],
  ["a token for another tenant", signer.sign({ ...clientClaims(), scope: "tsg_id:2" }), "tenant_mismatch"],
];
for (const [name, value, code] of UNSEALABLE) {
  test(`does not seal ${name}, and reports ${code}`, async () => {
    assert.deepEqual((await getAuthError(sealToken(request, value))).code, code);
  });
}

test("reports all invalid arguments and options in one configuration error", async () => {
  const seal = await getAuthError(
    sealToken(request, 1 as unknown as SealableToken, { verify: false, ttl: 1 } as object),
  );
  const toFields = ({ kind, issues }: AuthError) => [kind, ...issues.map(({ field }) => field)];
  assert.deepEqual(toFields(seal), ["config", "ttl", "verify", "token"]);
  for (const value of [null, undefined, {}, { accessToken: 1 }])
    assert.deepEqual(toFields(await getAuthError(sealToken(request, value as unknown as string))), ["config", "token"]);
  const options = { verify: false, minTtl: -1, timeout: 0, maxRetries: 1.5 };
  const unseal = await getAuthError(unsealToken(request, undefined as unknown as string, options));
  assert.deepEqual(toFields(unseal), ["config", "minTtl", "timeout", "maxRetries", "verify", "sealed"]);
});

test("rejects a sealed token that was changed in any way, and reveals none of it", async () => {
  const codes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(nearValidText(sealed, 2), async (text) => {
      fc.pre(text !== sealed);
      const { code } = await getUnsealError(text);
      assert.ok(["sealed_token_malformed", "sealed_token_decryption_failed"].includes(code), code);
      codes.add(code);
    }),
    { numRuns: countRuns(60) },
  );
  assert.equal(codes.size, 2);
});

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { AuthRequest, OAuth2Client, openToken, sealToken, type AuthEvent } from "../../../shared/index.ts";
import type { Problem } from "../../../shared/report/fields.ts";
import { failureOf, makeMovedClock, scm, SECRET, signer, tokenRequests, TSG_ID } from "../../support/client-stage.ts";
import { sealByHand } from "../../support/sealed-by-hand.ts";
import { honestClaims } from "../../support/tokens.ts";

// The format is held to in sealed-token.test.ts; here is what the library's two functions make of it.

/** A server, and a token of it, sealed. */
async function stage(t: TestContext, ttl?: number) {
  const { server, request } = await scm(t, { clientSecret: SECRET, ...(ttl !== undefined && { ttl }) });
  const client = await OAuth2Client.connect(request);
  const accessToken = await client.accessToken();
  return { server, request, client, accessToken, sealed: await sealToken(request, accessToken) };
}

const fieldsOf = ({ problems }: { readonly problems: readonly Problem[] }): readonly string[] =>
  problems.map(({ field }) => field);

test("a sealed token signs in without a token request, and is proved", async (t) => {
  const { server, request, client, accessToken, sealed } = await stage(t);
  const before = server.requests.length;
  const events: AuthEvent[] = [];
  const opened = await openToken(request, sealed, { onEvent: (event) => events.push(event) });
  assert.deepEqual(opened, { accessToken, expiresAt: client.expiresAt, scope: client.scope, tsgId: TSG_ID });
  assert.deepEqual(
    server.requests.slice(before).map(({ method }) => method),
    ["GET"],
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ["answer"],
  );
});

test("both take the plain fields too, and a token with its end", async (t) => {
  const { server, accessToken } = await stage(t);
  const { clientId, clientSecret, tokenUrl, ca } = server;
  const fields = { clientId, clientSecret, tokenUrl, ca };
  const expiresAt = new Date(Math.ceil(Date.now() / 1000) * 1000 + 600_000);
  const opened = await openToken(fields, await sealToken(fields, { accessToken, expiresAt }));
  assert.deepEqual([opened.accessToken, opened.expiresAt], [accessToken, expiresAt]);
  const withoutEnd = await openToken(fields, await sealToken(fields, { accessToken, expiresAt: undefined }));
  assert.ok(withoutEnd.expiresAt > expiresAt);
});

test("a token with too little life left is stale, by default and as is wanted", async (t) => {
  const { request, sealed } = await stage(t);
  const { clock, pass } = makeMovedClock();
  pass(590_000);
  assert.ok(await openToken(request, sealed, { clock }));
  pass(15_000);
  assert.equal((await failureOf(openToken(request, sealed, { clock }))).code, "sealed_stale");
  assert.ok(await openToken(request, sealed, { clock, minTtl: 200 }));
  assert.equal((await failureOf(openToken(request, sealed, { clock, minTtl: 300 }))).code, "sealed_stale");
  pass(300_000);
  const ended = await failureOf(openToken(request, sealed, { clock, minTtl: 0 }));
  assert.deepEqual([ended.code, ended.retryable], ["sealed_stale", false]);
});

test("what the server said of its life counts, though the token says more", async (t) => {
  const { request, accessToken } = await stage(t);
  const expiresAt = new Date(Date.now() + 200_000);
  const sealed = await sealToken(request, { accessToken, expiresAt });
  assert.equal((await failureOf(openToken(request, sealed))).code, "sealed_stale");
  const opened = await openToken(request, sealed, { minTtl: 100 });
  assert.equal(opened.expiresAt.getTime(), Math.floor(expiresAt.getTime() / 1000) * 1000);
});

test("a token that the server did not sign is not handed out, though the secret is right", async (t) => {
  const { request, server } = await stage(t);
  const forged = signer.sign(honestClaims({ clientId: request.clientId, tsgId: TSG_ID }));
  for (const sealed of [
    await sealToken(request, forged),
    sealByHand(
      { ...request, tokenUrl: request.tokenUrl.href, clientSecret: SECRET },
      JSON.stringify({ access_token: forged, exp: 2e9 }),
    ),
  ]) {
    const { kind, code } = await failureOf(openToken(request, sealed));
    assert.deepEqual([kind, code], ["verification", "unknown_key"]);
  }
  assert.equal(tokenRequests(server), 1);
});

test("another account's sealed token costs no request", async (t) => {
  const { request, server, sealed } = await stage(t);
  const before = server.requests.length;
  const { clientId, tokenUrl } = request;
  const other = AuthRequest.parse({
    clientId,
    tokenUrl: tokenUrl.href,
    clientSecret: "1d0f2f0c-8c1e-4b7a-a9f2-0d3a5c9e7b11",
  });
  assert.equal((await failureOf(openToken(other, sealed))).code, "sealed_foreign");
  assert.equal((await failureOf(openToken(request, "no sealed token"))).code, "sealed_damaged");
  assert.equal(server.requests.length, before);
});

test("a token of another client or tenant, one that has ended and an opaque one are not sealed", async () => {
  const clientId = `ci@${TSG_ID}.iam.panserviceaccount.com`;
  const request = AuthRequest.parse({ clientId, clientSecret: SECRET });
  const honest = { clientId, tsgId: TSG_ID };
  const codeOf = async (token: string) => (await failureOf(sealToken(request, token))).code;
  assert.equal(await codeOf(signer.sign(honestClaims({ ...honest, clientId: "other" }))), "wrong_audience");
  assert.equal(await codeOf(signer.sign(honestClaims({ ...honest, tsgId: "2" }))), "wrong_tenant");
  assert.equal(await codeOf(signer.sign(honestClaims({ ...honest, now: Date.now() / 1000 - 1000 }))), "token_expired");
  assert.equal(await codeOf("opaque"), "sealed_opaque");
  assert.equal(await codeOf(""), "sealed_opaque");
  const past = { accessToken: signer.sign(honestClaims(honest)), expiresAt: new Date(0) };
  assert.equal((await failureOf(sealToken(request, past))).code, "sealed_stale");
});

test("a secret that could be guessed seals nothing", async () => {
  const clientId = `ci@${TSG_ID}.iam.panserviceaccount.com`;
  const token = signer.sign(honestClaims({ clientId, tsgId: TSG_ID }));
  const failure = await failureOf(sealToken({ clientId, clientSecret: "password" }, token));
  assert.deepEqual([failure.kind, fieldsOf(failure)], ["config", ["clientSecret"]]);
});

test("without proofs nothing is sealed or opened", async (t) => {
  const { request, server, accessToken, sealed } = await stage(t);
  const before = server.requests.length;
  for (const work of [
    sealToken(request, accessToken, { verify: false }),
    openToken(request, sealed, { verify: false }),
  ]) {
    const failure = await failureOf(work);
    assert.deepEqual([failure.kind, fieldsOf(failure)], ["config", ["verify"]]);
    assert.match(failure.message, /verify is false/);
  }
  assert.equal(server.requests.length, before);
  assert.ok(await openToken(request, await sealToken(request, accessToken, { verify: true }), { verify: true }));
});

test("every option is checked at once, and what is given beside them", async () => {
  const request = { clientId: "ci@1.iam.panserviceaccount.com", clientSecret: SECRET };
  const wrong = { minTtl: -1, signal: 1, timeout: 0, maxRetries: 0.5, verify: "no", onEvent: 1, other: 1 };
  const opening = await failureOf(openToken(request, 1 as never, wrong as never));
  assert.deepEqual(fieldsOf(opening).toSorted(), [...Object.keys(wrong), "sealed"].sort());
  const tokens = [
    undefined,
    null,
    1,
    {},
    { accessToken: "a", expiresAt: "soon" },
    { accessToken: "a", expiresAt: new Date(NaN) },
  ];
  for (const token of tokens) {
    const sealing = await failureOf(sealToken(request, token as never, { verify: 1, timeout: 1 } as never));
    assert.deepEqual(fieldsOf(sealing).toSorted(), ["accessToken", "timeout", "verify"]);
  }
});

test("a call that its caller ends, or that takes too long, says so", async (t) => {
  const { request, sealed } = await stage(t);
  assert.equal((await failureOf(openToken(request, sealed, { signal: AbortSignal.abort() }))).kind, "aborted");
  assert.equal((await failureOf(openToken(request, sealed, { timeout: 1e-6 }))).kind, "timeout");
});

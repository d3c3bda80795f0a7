import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { seal, unseal } from "../../action/sealed-token.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import { sealToken } from "../../shared/sealed-token.ts";
import { createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { startScriptedServer, type ScriptedResponse } from "../support/scripted-server.ts";
import { createSigner, validClaims } from "../support/tokens.ts";
import { RecordingRunner } from "./recording-runner.ts";

const CLIENT = { clientId: "ci@1234567890.iam.panserviceaccount.com", clientSecret: "3f0d8ab2-5b1c-4c7e-9d35" };
const signer = await createSigner();
const claims = validClaims({ clientId: CLIENT.clientId, tsgId: "1234567890" });
const TOKEN = signer.sign(claims);

async function start(t: TestContext, jwks: ScriptedResponse = { body: { keys: [signer.jwk] } }) {
  const token = { body: { access_token: TOKEN, token_type: "Bearer", expires_in: 899 } };
  const server = await startScriptedServer({ token, jwks });
  t.after(server.close);
  const runner = new RecordingRunner();
  const authRequest = AuthRequest.parse({ ...CLIENT, tokenUrl: server.tokenUrl });
  const context = createSignInContext(authRequest, {
    policy: { maxRetries: 0 },
    redactor: runner.redactor,
    onToken: (value) => {
      runner.mask(value);
    },
  });
  const limits = { deadline: systemClock.monotonic() + 60_000 };
  const run = (sealedToken: string | undefined, minTtl?: number) =>
    unseal(runner, context, { sealedToken, minTtl }, limits);
  return { server, runner, context, limits, run };
}

test("verifies and masks a sealed token without a token request", async (t) => {
  const { server, runner, context, run } = await start(t);
  const token = await run(await sealToken(context.authRequest, TOKEN));
  assert.equal(token?.value, TOKEN);
  assert.ok(token.signingKey);
  assert.deepEqual([runner.masked, runner.lines, server.requestsTo("token").length], [[TOKEN], [], 0]);
});

test("neither unseals nor logs anything if no sealed token is expected", async (t) => {
  const { runner, run } = await start(t);
  assert.deepEqual([await run(undefined), runner.lines], [undefined, []]);
});

test("ignores an unusable sealed token with a warning, or with a plain log line if it has expired", async (t) => {
  const { runner, context, run } = await start(t);
  const { authRequest } = context;
  const sealed = await sealToken(authRequest, TOKEN);
  const anotherSecret = AuthRequest.parse({ ...CLIENT, clientSecret: "another-secret-of-some-length" });
  const anotherClient = { ...CLIENT, clientId: "ci@42.iam.panserviceaccount.com" };
  const otherClaims = validClaims({ clientId: anotherClient.clientId, tsgId: "42" });
  const cases: readonly (readonly [sealed: string, line: RegExp, minTtl?: number])[] = [
    ["", /^warning: sealed-token is empty; signing in\./],
    ["x", /^warning: Ignoring the sealed token \(.*[^.]\); signing in\. \w/],
    [await sealToken(anotherSecret, TOKEN), /^warning: Ignoring the sealed token \(.*cannot be decrypted/],
    [`${sealed.slice(0, -4)}AAAA`, /^warning: Ignoring the sealed token \(.*cannot be decrypted/],
    [
      await sealToken(AuthRequest.parse(anotherClient), signer.sign(otherClaims)),
      /^warning: Ignoring the sealed token/,
    ],
    [sealed, /^info: Ignoring the sealed token \(.*valid for only/, 86_400],
  ];
  for (const [text, line, minTtl] of cases) {
    assert.equal(await run(text, minTtl), undefined);
    assert.equal(runner.lines.length, 1);
    assert.match(runner.lines.pop() ?? "", line);
  }
});

test("fails if the keys cannot be requested, because a sign-in would need them too", async (t) => {
  const { runner, context, run } = await start(t, { status: 404 });
  await assert.rejects(run(await sealToken(context.authRequest, TOKEN)), { code: "http_error" });
  assert.deepEqual(runner.lines, []);
});

test("seals a new token for jobs with the same secret, but does not reseal a token that was unsealed", async (t) => {
  const { runner, context, limits, run } = await start(t);
  const token = await requestToken(context, limits);
  const sealed = await seal(runner, context, { token, source: "new" });
  assert.equal((await run(sealed))?.value, TOKEN);
  assert.deepEqual(runner.lines, []);
  assert.equal(await seal(runner, context, { token, source: "sealed" }), undefined);
  assert.match(runner.log, /^info: sealed-token output not set/);
});

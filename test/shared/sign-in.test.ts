import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import type { AccessToken } from "../../shared/access-token.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock, type Milliseconds } from "../../shared/clock.ts";
import type { AuthErrorCode } from "../../shared/errors.ts";
import type { AuthEvent } from "../../shared/events.ts";
import { Redactor } from "../../shared/redact.ts";
import { createSeparateContext, createSignInContext, requestToken, verifyToken, type SignInOptions } from "../../shared/sign-in.ts"; // prettier-ignore
import { clientClaims, CLIENT_ID, getAuthError, SECRET, signer, startScripted, tokenResponse, TSG_ID } from "../support/client-fixtures.ts"; // prettier-ignore
import { waitUntil } from "../support/poll.ts";
import type { Script, ScriptedServer } from "../support/scripted-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createSigner, validClaims } from "../support/tokens.ts";
import { setVariables } from "../support/variables.ts";

const nextSigner = await createSigner();
const token = signer.sign(clientClaims());
const success = tokenResponse({ access_token: token });
const jwks = { body: { keys: [signer.jwk] } };

interface TestOptions extends SignInOptions {
  readonly timeout?: Milliseconds;
  readonly signal?: AbortSignal;
}

const createContext = (request: AuthRequest, options: TestOptions) =>
  createSignInContext(request, { policy: { maxRetries: 1, backoff: 0.01 }, ...options });
const createLimits = ({ timeout = 20_000, signal }: TestOptions) => ({
  deadline: systemClock.monotonic() + timeout,
  signal,
});
const signIn = (request: AuthRequest, options: TestOptions = {}): Promise<AccessToken> =>
  requestToken(createContext(request, options), createLimits(options));
const verify = (request: AuthRequest, value: string, options: TestOptions = {}): Promise<AccessToken> =>
  verifyToken(createContext(request, options), value, createLimits(options));

const countRequests = (server: ScriptedServer) => [server.requestsTo("token").length, server.requestsTo("jwks").length];

// requestToken

test("retains no tokens of earlier sign-ins in a separate context", async (t) => {
  const { request } = await startScripted(t, { token: success, jwks });
  const context = createContext(request, {});
  const separate = createSeparateContext(context);
  await requestToken(separate, createLimits({}));
  const quotes = [context, separate, createSeparateContext(context)].map(({ redactor }) => redactor.quote(token, 3000));
  assert.deepEqual(quotes, [token, "(removed: it contains part of a secret)", token]);
  for (const each of [context, separate]) assert.doesNotMatch(each.redactor.quote(SECRET), /^3f0d/);
});

test("requests the token and the JWKS at the same time, each only once", async (t) => {
  const waiting: (() => void)[] = [];
  const both = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 2) for (const proceed of waiting) proceed();
    });
  };
  const { server, request } = await startScripted(t, {
    token: () => both().then(() => success),
    jwks: () => both().then(() => jwks),
  });
  const { value, tsgId, signingKey, lifetime } = await signIn(request);
  assert.deepEqual([value, tsgId, signingKey?.kid, lifetime], [token, TSG_ID, signer.kid, 899_000]);
  assert.deepEqual(countRequests(server), [1, 1]);
});

test("calculates the lifetime from the time at which the request was sent to the earlier of expires_in and exp", async (t) => {
  const response = { ...tokenResponse({ access_token: token, expires_in: 100 }), delayMs: 300 };
  const { request } = await startScripted(t, { token: [response, tokenResponse({ expires_in: 5000 })] });
  const short = await signIn(request);
  const remaining = short.remaining(systemClock) ?? 0;
  assert.ok(remaining > 50_000 && remaining <= 99_700, String(remaining));
  assert.equal(short.lifetime, 100_000);
  // The date comes from the token itself.
  assert.ok((short.expiresAt?.getTime() ?? 0) > Date.now() + 800_000);
  const long = await signIn(request);
  assert.equal(long.lifetime, 900_000);
  assert.ok((long.remaining(systemClock) ?? 0) <= 900_000);
});

test("the hint for a rejected secret mentions characters that cannot be seen", async (t) => {
  for (const response of [{ status: 401, body: { error: "invalid_client" } }, { status: 401 }]) {
    const { request } = await startScripted(t, { token: response, jwks });
    const { clientId, tokenUrl, scope } = request;
    const suspect = AuthRequest.parse({ clientId, tokenUrl, scope, clientSecret: `${SECRET}\u200b` });
    const { code, hint } = await getAuthError(signIn(suspect));
    assert.equal(code, "invalid_client");
    assert.match(
      hint,
      /^The client secret contains a character that is invisible .* The client ID or the secret is wrong/,
    );
    assertNoSecret({ hint }, [SECRET]);
    assert.doesNotMatch((await getAuthError(signIn(request))).hint, /invisible/);
  }
});

test("reloads the JWKS to find the key of a token that was signed after a key rotation", async (t) => {
  const rotated = nextSigner.sign(clientClaims());
  const both = { body: { keys: [signer.jwk, nextSigner.jwk] } };
  const { server, request } = await startScripted(t, {
    token: tokenResponse({ access_token: rotated }),
    jwks: [jwks, jwks, both],
  });
  assert.equal((await signIn(request)).value, rotated);
  assert.deepEqual(countRequests(server), [1, 3]);
});

test("loads the JWKS again after a signature did not match, because a key can be replaced without a new kid", async (t) => {
  const replaced = nextSigner.sign(clientClaims(), { kid: signer.kid });
  const { server, request } = await startScripted(t, {
    token: [success, tokenResponse({ access_token: replaced })],
    jwks: [jwks, { body: { keys: [{ ...nextSigner.jwk, kid: signer.kid }] } }],
  });
  const context = createContext(request, {});
  await requestToken(context, createLimits({}));
  const { code } = await getAuthError(requestToken(context, createLimits({})));
  assert.deepEqual([code, countRequests(server)], ["invalid_signature", [2, 1]]);
  assert.equal((await requestToken(context, createLimits({}))).value, replaced);
});

test("reports an unknown signing key no later than the deadline", async (t) => {
  const { server, request } = await startScripted(t, { token: tokenResponse({ access_token: nextSigner.sign(clientClaims()) }) }); // prettier-ignore
  const error = await getAuthError(signIn(request, { timeout: 900 }));
  assert.equal(error.code, "signing_key_not_found");
  assert.deepEqual(countRequests(server), [1, 2]);
});

test("rejects an opaque token", async (t) => {
  const { request } = await startScripted(t, { token: tokenResponse({ access_token: "opaque-token" }) });
  const error = await getAuthError(signIn(request));
  assert.deepEqual([error.code, error.kind], ["opaque_token", "verification"]);
});

/** Checks that are still performed if `verify` is false. */
const opaque = (change: object = {}) => tokenResponse({ access_token: "opaque-token", ...change });
const jwt = (change: object) => tokenResponse({ access_token: signer.sign({ ...clientClaims(), ...change }) });
const UNVERIFIED: readonly (readonly [name: string, response: Script, result: string])[] = [
  ["accepts an opaque token", opaque(), "opaque-token"],
  ["accepts an opaque token with the requested tenant in the response", opaque({ scope: `a tsg_id:${TSG_ID}` }), "opaque-token"],
  ["rejects an opaque token for another tenant", opaque({ scope: "tsg_id:2" }), "tenant_mismatch"],
  ["rejects a JWT for another client", jwt({ aud: "other" }), "audience_mismatch"],
  ["rejects a JWT for another tenant", jwt({ scope: ["tsg_id:2"] }), "tenant_mismatch"],
  ["rejects an expired JWT", jwt({ iat: 1, nbf: 1, exp: 2 }), "token_expired"],
  ["rejects a JWT without a signature", tokenResponse({ access_token: token.replace(/[^.]*$/, "") }), "malformed_token"],
  ["accepts a JWT signed with an unknown key", tokenResponse({ access_token: nextSigner.sign(clientClaims()) }), "JWT"],
]; // prettier-ignore
for (const [name, response, expected] of UNVERIFIED) {
  test(`${name} without a JWKS request if verify is false`, async (t) => {
    const { server, request } = await startScripted(t, { token: response });
    const signedIn = signIn(request, { verify: false });
    const result = await signedIn.then(
      ({ value }) => (value.includes(".") ? "JWT" : value),
      (error: unknown) => (error as { readonly code: AuthErrorCode }).code,
    );
    assert.equal(result, expected);
    assert.deepEqual(countRequests(server), [1, 0]);
  });
}

test("rejects an opaque token if an issuer is expected, even if verify is false", async (t) => {
  const { request } = await startScripted(t, { token: opaque() });
  const { code, hint } = await getAuthError(
    signIn(request.with({ issuer: "https://auth.scm.test" }), { verify: false }),
  );
  assert.equal(code, "opaque_token");
  assert.match(hint, /omit the issuer/);
});

test("omits everything that is not a scope-token from the granted scope", async (t) => {
  const scope = ["", " ", "a b", `tsg_id:${TSG_ID}`, "x\n::set-output name=a::b", "é", "email"];
  const { request } = await startScripted(t, { token: jwt({ scope }) });
  assert.equal((await signIn(request)).scope, `tsg_id:${TSG_ID} email`);
  const text = opaque({ scope: `tsg_id:${TSG_ID}  a\nb email` });
  const other = await startScripted(t, { token: text });
  assert.equal((await signIn(other.request, { verify: false })).scope, `tsg_id:${TSG_ID} email`);
});

test("uses expires_in as the lifetime of an opaque token, or reports an unknown lifetime", async (t) => {
  const { request } = await startScripted(t, {
    token: [opaque({ expires_in: 60 }), opaque({ expires_in: undefined })],
  });
  const known = await signIn(request, { verify: false });
  const difference = (known.expiresAt?.getTime() ?? 0) - Date.now();
  assert.ok(difference > 30_000 && difference <= 60_000, String(difference));
  assert.equal(known.lifetime, 60_000);
  const unknown = await signIn(request, { verify: false });
  assert.deepEqual(
    [unknown.expiresAt, unknown.lifetime, unknown.remaining(systemClock)],
    [undefined, undefined, undefined],
  );
});

test("passes every token to onToken, even a token from a failed response", async (t) => {
  const tokens: string[] = [];
  const { request } = await startScripted(t, {
    token: [{ ...tokenResponse({ access_token: "first-token" }), status: 500 }, success],
  });
  await signIn(request, { onToken: (value) => tokens.push(value) });
  assert.deepEqual(tokens, ["first-token", token]);
});

test("adds the secret, proxy passwords, and tokens to the caller's redactor", async (t) => {
  setVariables(t, { https_proxy: "http://user:proxy-password@proxy.scm.test:8080" });
  const redactor = new Redactor();
  const { request } = await startScripted(t);
  const { value } = await signIn(request, { redactor });
  assert.equal(redactor.redact(`${SECRET}, ${value}, proxy-password`), "***, ***, ***");
});

test("does not reveal a secret or token in errors if a server echoes it", async (t) => {
  const reflections = [SECRET, token, encodeURIComponent(token), Buffer.from(`x${SECRET}`).toString("base64")];
  for (const text of reflections) {
    const body = { access_token: token, error: `x ${text}`, error_description: `the secret ${text} is wrong` };
    const { request } = await startScripted(t, { token: { status: 400, body } });
    const error = await getAuthError(signIn(request));
    assert.equal(error.code, "oauth_error");
    const shown = [error.message, error.hint, error.oauthError, error.stack, JSON.stringify(error)].join("\n");
    assertNoSecret({ shown }, [SECRET, token]);
  }
});

test("emits an event for every retry, and ignores a failing listener", async (t) => {
  const events: AuthEvent[] = [];
  const { request } = await startScripted(t, { token: [{ status: 503 }, success], jwks: [{ status: 500 }, jwks] });
  await signIn(request, {
    onEvent: (event) => {
      events.push(event);
      throw new Error("bug in the listener");
    },
  });
  const retries = events.flatMap((event) => (event.type === "retry" ? [[event.request, event.attempt]] : []));
  assert.deepEqual(retries.sort(), [["jwks", 1], ["token", 1]]); // prettier-ignore
});

test("aborts the JWKS request if the token request is rejected", async (t) => {
  const { server, request } = await startScripted(t, { token: { status: 404 }, jwks: { hang: true } });
  const error = await getAuthError(signIn(request));
  assert.deepEqual([error.code, error.status], ["http_error", 404]);
  assert.match(error.message, /token request/);
  await waitUntil("the JWKS request is closed", () => server.requestsTo("jwks").every(({ closed }) => closed.aborted));
});

test("aborts a hanging token request if the JWKS request is rejected", async (t) => {
  const { server, request } = await startScripted(t, { token: { hang: true }, jwks: { status: 404 } });
  const error = await getAuthError(signIn(request));
  assert.match(error.message, /JWKS request failed with status 404/);
  await waitUntil("the token request is closed", () =>
    server.requestsTo("token").every(({ closed }) => closed.aborted),
  );
});

const BOTH_FAIL: readonly (readonly [name: string, response: Script, tokenDelay: Milliseconds, code: AuthErrorCode])[] = [
  ["with status 503", { status: 503 }, 300, "server_error"],
  ["with a proxy's page", { body: "<html>", headers: { "content-type": "text/html" } }, 300, "html_response"],
  ["with status 403", { status: 403 }, 300, "http_error"],
]; // prettier-ignore
for (const [name, response, delayMs, code] of BOTH_FAIL) {
  test(`reports the token request's error if both requests fail ${name}, even if the JWKS request fails first`, async (t) => {
    const { request } = await startScripted(t, { token: { ...(response as object), delayMs }, jwks: response });
    const error = await getAuthError(signIn(request));
    assert.equal(error.code, code);
    assert.match(error.message, /token request/);
  });
}

test("ends at the deadline with the error from the last attempt", async (t) => {
  const { request } = await startScripted(t, { token: { hang: true } });
  const error = await getAuthError(signIn(request, { timeout: 3000 }));
  assert.deepEqual([error.code, error.kind, error.attempts], ["response_timeout", "timeout", 2]);
});

test("aborts both requests with the caller's reason, and leaves no listeners behind", async (t) => {
  const abort = new AbortController();
  const { server, request } = await startScripted(t, { token: { hang: true }, jwks: { hang: true } });
  const failed = getAuthError(signIn(request, { signal: abort.signal }));
  await waitUntil("both requests arrive", () => server.requests.length === 2);
  abort.abort(new DOMException("enough", "TimeoutError"));
  const { code, cause } = await failed;
  assert.deepEqual([code, (cause as Error).name], ["aborted", "TimeoutError"]);
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  assert.equal((await getAuthError(signIn(request, { signal: abort.signal }))).code, "aborted");
  assert.deepEqual(countRequests(server), [1, 1]);
});

// verifyToken

for (const verified of [true, false]) {
  test(`verifies an existing token with only a JWKS request if verify is ${verified}`, async (t) => {
    const { server, request } = await startScripted(t);
    const masked: string[] = [];
    const result = await verify(request, token, { verify: verified, onToken: (value) => masked.push(value) });
    assert.deepEqual([result.value, result.tsgId, result.lifetime, masked], [token, TSG_ID, 900_000, [token]]);
    assert.equal(result.signingKey?.kid, signer.kid);
    assert.ok((result.remaining(systemClock) ?? 0) > 800_000);
    assert.deepEqual(countRequests(server), [0, 1]);
  });
}

const forged = nextSigner.sign(clientClaims(), { kid: signer.kid });
const unsigned = token.replace(/[^.]*$/, "");
const other = { clientId: CLIENT_ID, tsgId: "2" };
const NOT_ACCEPTED: readonly (readonly [name: string, value: string, code: AuthErrorCode, jwksRequests: number, masks: number])[] = [
  ["an expired token", signer.sign(clientClaims(0)), "token_expired", 0, 1],
  ["a token for another client", signer.sign({ ...clientClaims(), aud: "x" }), "audience_mismatch", 0, 1],
  ["a token for another tenant", signer.sign(validClaims(other)), "tenant_mismatch", 0, 1],
  ["an opaque token", "opaque-token", "opaque_token", 0, 0],
  ["an arbitrary string", "a.b.c", "opaque_token", 0, 0],
  ["a JWT with line breaks", `${token}\n{\n}`, "malformed_token", 0, 0],
  ["a token without a signature", unsigned, "malformed_token", 0, 0],
  ["a token with alg: none", signer.sign(clientClaims(), { alg: "none" }), "algorithm_not_allowed", 0, 1],
  ["a token from another signer with a known kid", forged, "invalid_signature", 1, 1],
  ["a token with an unknown kid", nextSigner.sign(clientClaims()), "signing_key_not_found", 2, 1],
]; // prettier-ignore
for (const [name, value, code, jwksRequests, masks] of NOT_ACCEPTED) {
  test(`rejects ${name} as ${code} (JWKS requests: ${jwksRequests}), and masks only decodable JWTs`, async (t) => {
    const { server, request } = await startScripted(t);
    const masked: string[] = [];
    const error = await getAuthError(verify(request, value, { onToken: (text) => masked.push(text) }));
    assert.deepEqual([error.kind, error.code, masked.length], ["verification", code, masks]);
    assert.deepEqual(countRequests(server), [0, jwksRequests]);
  });
}

test("does not accept an existing token if keys are unavailable", async (t) => {
  const { request } = await startScripted(t, { jwks: { status: 503 } });
  assert.equal((await getAuthError(verify(request, token))).kind, "server");
});

test("requests the keys once per context", async (t) => {
  const { server, request } = await startScripted(t);
  const context = createContext(request, {});
  await requestToken(context, createLimits({}));
  await verifyToken(context, token, createLimits({}));
  await requestToken(context, createLimits({}));
  assert.deepEqual(countRequests(server), [2, 1]);
});

test("ends the verification of a token at the deadline", async (t) => {
  const { request } = await startScripted(t);
  const context = createContext(request, {});
  await verifyToken(context, token, createLimits({}));
  const error = await getAuthError(verifyToken(context, token, { deadline: systemClock.monotonic() - 1 }));
  assert.deepEqual([error.kind, error.retryable], ["timeout", true]);
});

test("uses the library's defaults for a context", async (t) => {
  const { request } = await startScripted(t);
  const { policy, userAgent, verify: isVerifying, secureContext, clock } = createSignInContext(request);
  assert.deepEqual(policy, { maxRetries: 3, backoff: 0.3, spreadOnOverload: false });
  assert.deepEqual([isVerifying, secureContext, clock], [true, undefined, systemClock]);
  assert.match(userAgent, /^scm-auth\/\d/);
  const { policy: own } = createSignInContext(request, { policy: { maxRetries: 0, backoff: undefined } });
  assert.deepEqual(own, { maxRetries: 0, backoff: 0.3, spreadOnOverload: false });
});

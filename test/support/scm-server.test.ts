import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createRemoteJWKSet, customFetch, decodeJwt, jwtVerify } from "jose";
import { ask, form } from "./ask.ts";
import { startScmServer } from "./scm-server.ts";
import { SCM_ISSUER } from "./tokens.ts";

const server = await startScmServer();
after(() => server.close());

const credentials = {
  grant_type: "client_credentials",
  client_id: server.clientId,
  client_secret: server.clientSecret,
  scope: `tsg_id:${server.tsgId}`,
};
const signIn = (fields: Readonly<Record<string, string>> = {}) =>
  ask(server.tokenUrl, { ...form({ ...credentials, ...fields }), ca: server.ca });

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
  readonly token_type: string;
  readonly scope: string;
}
const tokenOf = async (): Promise<TokenAnswer> => JSON.parse((await signIn()).body) as TokenAnswer;

const keySet = () =>
  createRemoteJWKSet(new URL(server.jwksUrl), {
    [customFetch]: async (url: string) => new Response((await ask(url, { ca: server.ca })).body),
  });

test("a client signs in and gets a token shaped like SCM's, which the key set proves", async () => {
  const answer = await tokenOf();
  assert.equal(answer.expires_in, 899);
  assert.equal(answer.token_type, "Bearer");
  assert.equal(answer.scope, credentials.scope);
  const { payload, protectedHeader } = await jwtVerify(answer.access_token, keySet());
  assert.equal(protectedHeader.typ, "JWT");
  assert.match(protectedHeader.kid ?? "", /\/.*=$/);
  assert.equal(payload.aud, server.clientId);
  assert.equal(payload.iss, SCM_ISSUER);
  assert.deepEqual(payload["scope"], [credentials.scope]);
  assert.match(payload.sub ?? "", /^[0-9a-f-]{36}$/);
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 900);
});

test("HTTP Basic does as well as the form", async () => {
  const basic = Buffer.from(`${server.clientId}:${server.clientSecret}`).toString("base64");
  const { headers, ...rest } = form({ grant_type: "client_credentials", scope: credentials.scope });
  const answer = await ask(server.tokenUrl, {
    ...rest,
    headers: { ...headers, authorization: `Basic ${basic}` },
    ca: server.ca,
  });
  assert.equal(answer.status, 200);
});

const refusals = [
  ["a wrong secret", { client_secret: "wrong" }, 401, "invalid_client"],
  ["an unknown client", { client_id: "nobody" }, 401, "invalid_client"],
  ["a foreign tenant", { scope: "tsg_id:666" }, 400, "invalid_scope"],
  ["another grant", { grant_type: "password" }, 400, "unsupported_grant_type"],
] as const;
for (const [what, fields, status, error] of refusals) {
  test(`${what} is refused with ${status} ${error}`, async () => {
    const answer = await signIn(fields);
    assert.equal(answer.status, status);
    assert.equal((JSON.parse(answer.body) as { error: string }).error, error);
  });
}

test("after a rotation new tokens have a new key id and old ones can still be proved", async () => {
  const before = await tokenOf();
  const kid = await server.rotate();
  const after = await tokenOf();
  const keys = keySet();
  assert.equal((await jwtVerify(after.access_token, keys)).protectedHeader.kid, kid);
  assert.notEqual((await jwtVerify(before.access_token, keys)).protectedHeader.kid, kid);
});

test("the API lists tags for a token of this server's and answers 401 without", async () => {
  const { access_token } = await tokenOf();
  const url = `${server.apiUrl}/config/objects/v1/tags?folder=All`;
  const tags = await ask(url, { ca: server.ca, headers: { authorization: `Bearer ${access_token}` } });
  assert.equal(tags.status, 200);
  const list = JSON.parse(tags.body) as { data: readonly object[]; total: number };
  assert.equal(list.data.length, list.total);
  for (const headers of [{}, { authorization: `Bearer ${access_token}x` }]) {
    const refused = await ask(url, { ca: server.ca, headers });
    assert.equal(refused.status, 401);
    assert.match(refused.body, /^{"_errors":\[{"code":"E016",.*"_request_id":/);
  }
});

test("a token that has ended opens nothing", async () => {
  const brief = await startScmServer({ ttl: 1 });
  try {
    const fields = { ...credentials, client_id: brief.clientId, client_secret: brief.clientSecret };
    const answer = await ask(brief.tokenUrl, { ...form(fields), ca: brief.ca });
    const { access_token } = JSON.parse(answer.body) as TokenAnswer;
    const { exp = 0 } = decodeJwt(access_token);
    while (Date.now() < exp * 1000) await new Promise((resolve) => setTimeout(resolve, 50));
    const headers = { authorization: `Bearer ${access_token}` };
    assert.equal((await ask(`${brief.apiUrl}/config/objects/v1/tags`, { ca: brief.ca, headers })).status, 401);
  } finally {
    await brief.close();
  }
});

test("requests are recorded with their form, and tokens in the order they were given out", async () => {
  const from = server.requests.length;
  const { access_token } = await tokenOf();
  await ask(server.jwksUrl, { ca: server.ca });
  const seen = server.requests
    .slice(from)
    .map(({ method, path, status, form: fields }) => [method, path, status, fields]);
  assert.deepEqual(seen, [
    ["POST", "/am/oauth2/access_token", 200, credentials],
    ["GET", "/am/oauth2/connect/jwk_uri", 200, undefined],
  ]);
  assert.equal(server.issued.at(-1), access_token);
});

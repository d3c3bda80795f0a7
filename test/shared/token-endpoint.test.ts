import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthRequest } from "../../shared/auth-request.ts";
import type { AuthError, AuthErrorCode } from "../../shared/errors.ts";
import type { HttpResponse } from "../../shared/http/request.ts";
import type { Outcome } from "../../shared/http/retry.ts";
import { parseJwksResponse } from "../../shared/jwks.ts";
import { Redactor } from "../../shared/redact.ts";
import { createTokenRequest, parseTokenResponse, type TokenResponse } from "../../shared/token-endpoint.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import { nearValidJson, nearValidText } from "../support/near-valid.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { foreignText, usualSecret } from "../support/texts.ts";

const quote = (text: string): string => `<${text}>`;
const toResponse = (status: number, body: unknown, headers: HttpResponse["headers"] = {}): HttpResponse => ({
  status,
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
  clockOffset: undefined,
});
const parse = (response: HttpResponse, onToken: (token: string) => void = () => undefined): Outcome<TokenResponse> =>
  parseTokenResponse(response, { quote, onToken, clientId: "ci", requestedScope: "tsg_id:1" });

function getError(outcome: Outcome<unknown>): AuthError {
  assert.ok(outcome.type !== "success");
  return outcome.error;
}

const valid = { access_token: "abc.DEF-1_~+/==", token_type: "Bearer", expires_in: 899, scope: "tsg_id:1" };

test("sends the token request as a form with four fields", () => {
  fc.assert(
    fc.property(usualSecret, (clientSecret) => {
      fc.pre(!/^["'].*["']$/.test(clientSecret));
      const request = AuthRequest.parse({ clientId: "a+b&c=d@x", clientSecret, tsgId: "1" });
      const { method, url, headers, body = "" } = createTokenRequest(request);
      assert.deepEqual([method, url.href], ["POST", request.tokenUrl.href]);
      assert.deepEqual(headers, { accept: "application/json", "content-type": "application/x-www-form-urlencoded" });
      assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
        grant_type: "client_credentials",
        client_id: "a+b&c=d@x",
        client_secret: clientSecret,
        scope: "tsg_id:1",
      });
    }),
  );
});

// Outcome of a response by status (row) and body (column): Success, Transient, Overloaded, or Permanent.

const LETTERS = { S: "success", T: "transient", O: "overloaded", P: "permanent" } as const;
const oauth = (error: string): object => ({ error, error_description: "because" });
const html = "<html><body>Log in to the guest network</body></html>";
type Bodies = Readonly<Record<string, readonly [body: unknown, headers?: HttpResponse["headers"]]>>;

const TOKEN_BODIES: Bodies = {
  "a token": [{ access_token: "abcdefgh", token_type: "Bearer" }],
  invalid_client: [oauth("invalid_client")],
  temporarily_unavailable: [oauth("temporarily_unavailable")],
  server_error: [oauth("server_error")],
  HTML: [html, { "content-type": "text/html; charset=utf-8" }],
  "HTML without a content type": [`\n <!DOCTYPE html>${html}`],
  "truncated JSON": ['{"access_token":"ab'],
  "no body": [""],
  "other JSON": [["access_token"]],
};
const TOKEN_OUTCOMES: Readonly<Record<number, string>> = {
  //   token client unavailable server html html trunc none other
  199: "P     P      O           T      P    P    P     P    P",
  200: "S     P      O           T      P    P    T     T    P",
  201: "S     P      O           T      P    P    T     T    P",
  204: "S     P      O           T      P    P    T     T    P",
  299: "S     P      O           T      P    P    T     T    P",
  300: "P     P      P           P      P    P    P     P    P",
  302: "P     P      P           P      P    P    P     P    P",
  307: "P     P      P           P      P    P    P     P    P",
  399: "P     P      P           P      P    P    P     P    P",
  400: "P     P      O           T      P    P    P     P    P",
  401: "P     P      O           T      P    P    P     P    P",
  403: "P     P      O           T      P    P    P     P    P",
  404: "P     P      O           T      P    P    P     P    P",
  407: "P     P      O           T      P    P    P     P    P",
  408: "T     T      T           T      T    T    T     T    T",
  429: "O     O      O           O      O    O    O     O    O",
  500: "T     T      T           T      T    T    T     T    T",
  501: "P     P      P           P      P    P    P     P    P",
  502: "T     T      T           T      T    T    T     T    T",
  503: "O     O      O           O      O    O    O     O    O",
  504: "T     T      T           T      T    T    T     T    T",
  599: "P     P      P           P      P    P    P     P    P",
};

const JWKS_BODIES: Bodies = {
  "a key set": [{ keys: [{ kty: "RSA", n: "A".repeat(342), e: "AQAB" }] }],
  "an OAuth error": [oauth("temporarily_unavailable")],
  HTML: ["Log in", { "content-type": "TEXT/HTML" }],
  "truncated JSON": ['{"keys":[{"kty":"RS'],
  "no body": [""],
  "no key": [{ keys: [] }],
};
const JWKS_OUTCOMES: Readonly<Record<number, string>> = {
  //   keys OAuth html trunc none empty
  200: "S    P     P    T     T    P",
  204: "S    P     P    T     T    P",
  302: "P    P     P    P     P    P",
  401: "P    P     P    P     P    P",
  404: "P    P     P    P     P    P",
  408: "T    T     T    T     T    T",
  429: "O    O     O    O     O    O",
  500: "T    T     T    T     T    T",
  501: "P    P     P    P     P    P",
  503: "O    O     O    O     O    O",
};

const parseJwks = (response: HttpResponse) => parseJwksResponse(response, quote);
for (const [name, parseResponse, bodies, outcomes] of [
  ["token", parse, TOKEN_BODIES, TOKEN_OUTCOMES],
  ["JWKS", parseJwks, JWKS_BODIES, JWKS_OUTCOMES],
] as const) {
  for (const [status, row] of Object.entries(outcomes)) {
    test(`classifies a ${name} response with status ${status} by its body`, () => {
      const letters = row.split(/ +/) as (keyof typeof LETTERS)[];
      const expected = Object.keys(bodies).map((body, index) => [body, LETTERS[letters[index] ?? "S"]]);
      const results = Object.entries(bodies).map(([body, content]) => {
        const outcome: Outcome<unknown> = parseResponse(toResponse(Number(status), ...content));
        if (outcome.type !== "success") {
          assert.match(outcome.error.message, /token re|JWKS/);
          assert.equal(outcome.error.retryable, outcome.type !== "permanent", outcome.error.message);
        }
        return [body, outcome.type];
      });
      assert.deepEqual(results, expected);
    });
  }
}

const ERRORS: readonly (readonly [status: number, body: string, code: AuthErrorCode, prefix: string, text: string])[] = [
  [429, "no body", "rate_limited", "HTTP error", "token request failed with status 429."],
  [429, "invalid_client", "rate_limited", "HTTP error", "status 429: invalid_client: <because>."],
  [503, "HTML", "server_error", "HTTP error", "status 503"],
  [501, "no body", "http_error", "HTTP error", "status 501"],
  [404, "HTML", "http_error", "HTTP error", "status 404"],
  [302, "no body", "unexpected_redirect", "HTTP error", "status 302"],
  [401, "invalid_client", "invalid_client", "Authentication error", "rejected (status 401): invalid_client: <because> (client ID <ci>)."],
  [200, "invalid_client", "invalid_client", "Authentication error", "rejected (status 200): invalid_client: <because> (client ID <ci>)."],
  [400, "server_error", "server_error", "HTTP error", "(status 400): server_error: <because>."],
  [200, "HTML", "html_response", "Authentication error", "HTML page"],
  [200, "no body", "invalid_json", "Authentication error", "did not return JSON"],
  [200, "other JSON", "invalid_token_response", "Authentication error", "not a JSON object"],
]; // prettier-ignore
for (const [status, body, code, prefix, text] of ERRORS) {
  test(`reports status ${status} with ${body} as ${code}`, () => {
    const error = getError(parse(toResponse(status, ...(TOKEN_BODIES[body] ?? [""]))));
    assert.deepEqual([error.code, error.message.split(":")[0]], [code, prefix]);
    assert.ok(error.message.includes(text), error.message);
  });
}

test("attributes a 401 without an OAuth error to the client, but not an HTML page with status 401", () => {
  for (const body of ["", {}, { message: "Unauthorized" }]) {
    const { code, kind, status, oauthError } = getError(parse(toResponse(401, body)));
    assert.deepEqual([code, kind, status, oauthError], ["invalid_client", "rejected", 401, undefined]);
  }
  assert.equal(getError(parse(toResponse(401, html))).code, "http_error");
  assert.equal(getError(parseJwks(toResponse(401, ""))).code, "http_error");
});

const ACCEPTED: readonly (readonly [name: string, change: object, value: Partial<TokenResponse>])[] = [
  ["all fields that SCM sends", { refresh_token: 1 }, {}],
  ["a lowercase token_type", { token_type: "bearer" }, {}],
  ["no scope", { scope: undefined }, { scope: undefined }],
  ["no expires_in", { expires_in: undefined }, { expiresIn: undefined }],
  ["expires_in as a string", { expires_in: "0899" }, {}],
  ["an expires_in of one day", { expires_in: 86_400 }, { expiresIn: 86_400 }],
  ["an expires_in of half a second", { expires_in: 0.5 }, { expiresIn: 0.5 }],
  ["a token of 64 KiB", { access_token: "a".repeat(65_536) }, { accessToken: "a".repeat(65_536) }],
];
for (const [name, change, value] of ACCEPTED) {
  test(`accepts a token response with ${name}`, () => {
    const expected = { accessToken: valid.access_token, expiresIn: 899, scope: "tsg_id:1", ...value };
    assert.deepEqual(parse(toResponse(200, { ...valid, ...change })), { type: "success", value: expected });
  });
}

const REJECTED: Readonly<Record<keyof typeof valid, readonly unknown[]>> = {
  access_token: [undefined, null, 7, ["a"], "", " ", "shorter", "a".repeat(65_537)],
  token_type: [undefined, null, "", "mac", "Bearer ", "MyBearer", "DPoP", 1, ["Bearer"]],
  expires_in: [0, -1, 86_401, 1e300, "", "-1", "1e3", "1.5", " 9", "0", "99999999999", null, true, [9], {}],
  scope: [null, 1, ["tsg_id:1"], {}],
};
for (const [field, values] of Object.entries(REJECTED)) {
  test(`rejects a token response with an invalid ${field} and names it`, () => {
    for (const value of values) {
      const error = getError(parse(toResponse(200, { ...valid, [field]: value })));
      assert.deepEqual([error.code, error.kind], ["invalid_token_response", "protocol"], JSON.stringify(value));
      assert.ok(error.message.includes(`token response: ${field} is`), error.message);
    }
  });
}

test("rejects a token with a character that is not allowed, without showing the token", () => {
  for (const token of [
    "test token",
    "test-tok\r\nX: y",
    "test-tokén",
    "========",
    "test=token",
    "test-token===",
    "a:b-token",
  ]) {
    const { message } = getError(parse(toResponse(200, { ...valid, access_token: token })));
    assert.match(message, /: access_token contains a character that RFC 6750 section 2\.1 does not allow: /);
    assert.ok(!message.includes(token));
  }
});

test("rejects an expires_in that is too large for a JavaScript number", () => {
  assert.equal(parse(toResponse(200, JSON.stringify(valid).replace("899", "1e999"))).type, "permanent");
});

const OAUTH_ERRORS: readonly (readonly [body: object, text: string, code: AuthErrorCode, oauthError: string])[] = [
  [{ error: "invalid_scope" }, "invalid_scope (requested <tsg_id:1>).", "invalid_scope", "invalid_scope"],
  [
    { error: "invalid_client", error_description: "no" },
    "invalid_client: <no> (client ID <ci>).",
    "invalid_client",
    "invalid_client",
  ],
  [
    { error: "invalid_client", error_description: 1 },
    "invalid_client (client ID <ci>).",
    "invalid_client",
    "invalid_client",
  ],
  [{ error: "invalid_grant" }, "invalid_grant.", "oauth_error", "invalid_grant"],
  [{ error: "custom" }, "<custom>.", "oauth_error", "<custom>"],
  [{ error: "constructor" }, "<constructor>.", "oauth_error", "<constructor>"],
];
for (const [body, text, code, oauthError] of OAUTH_ERRORS) {
  test(`reports ${JSON.stringify(body)} as ${code}`, () => {
    const error = getError(parse(toResponse(400, body)));
    assert.deepEqual([error.code, error.oauthError, error.kind], [code, oauthError, "rejected"]);
    assert.ok(error.message.endsWith(`token request rejected (status 400): ${text}`), error.message);
  });
}

test("does not report a body without an error string as an OAuth error", () => {
  for (const body of [null, 1, "text", [], { error: null }, { error: "" }, { error: ["x"] }])
    assert.equal(getError(parse(toResponse(400, JSON.stringify(body)))).code, "http_error", JSON.stringify(body));
});

test("passes up to four words that may be a token and can be masked to onToken", () => {
  const getTokens = (access_token: string): readonly string[] => {
    const tokens: string[] = [];
    parse(toResponse(400, { access_token }), (token) => tokens.push(token));
    return tokens;
  };
  for (const token of ["e", "1234567", "x".repeat(70_000), ""]) assert.deepEqual(getTokens(token), []);
  const words = ["x".repeat(65_536), "shortest", "a second word", "another-one", "the-last-one"];
  assert.deepEqual(getTokens(words.join("\n")), ["x".repeat(65_536), "shortest", "another-one", "the-last-one"]);
  assert.equal(getTokens("12345678 ".repeat(6)).length, 4);
});

test("passes a token to onToken before it quotes any part of a response", () => {
  const tokens = fc.oneof(foreignText, fc.base64String()).filter((token) => /^\S{8,}$/.test(token));
  const errors = fc.option(fc.constantFrom("invalid_client", "x"));
  fc.assert(
    fc.property(tokens, fc.constantFrom(200, 302, 400, 401, 429, 503), errors, (token, status, error) => {
      const received: string[] = [];
      const response = toResponse(status, { access_token: token, error, error_description: token });
      parseTokenResponse(response, {
        quote: () => {
          assert.deepEqual(received, [token]);
          return "";
        },
        onToken: (found) => received.push(found),
        clientId: "ci",
        requestedScope: "",
      });
      assert.deepEqual(received, [token]);
    }),
  );
});

test("includes text from the server in errors only through the quote function", () => {
  fc.assert(
    fc.property(foreignText, fc.anything(), fc.constantFrom(200, 400, 429, 500), (error, description, status) => {
      const body = { error: `MARK${error}`, error_description: `MARK${JSON.stringify(description)}` };
      const failure = getError(
        parseTokenResponse(toResponse(status, body), {
          quote: () => "quoted",
          onToken: () => undefined,
          clientId: "ci",
          requestedScope: "",
        }),
      );
      assert.doesNotMatch(`${failure.message}${failure.hint}${failure.oauthError ?? ""}`, /MARK/);
    }),
  );
});

// Near-valid responses that contain the secret or the token in any field

const SECRET = "3f0d8ab2/5b1c+4c7e=9d35 6f1f3f8d8a10";
const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl-_";
const others = [
  SECRET,
  `secret ${SECRET}!`,
  TOKEN,
  `Bearer ${TOKEN}`,
  encodeURIComponent(SECRET),
  86_400,
  86_401,
  1e-9,
];
const success = { access_token: TOKEN, token_type: "Bearer", expires_in: 899, scope: "tsg_id:1" };
const failed = { error: "invalid_client", error_description: `not ${SECRET}`, error_uri: "https://auth.test/" };
const busy = { error: "temporarily_unavailable", access_token: TOKEN };
const bodies = fc.oneof(
  ...[success, success, failed, busy, { ...success, ...failed }].map((body) => nearValidJson(body, others)),
  nearValidText(nearValidJson(success, others), 2),
  nearValidText(`<!doctype html><title>${SECRET} ${TOKEN}</title>`),
);
const statuses = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(200, 200, 200, 400, 401) },
  { weight: 1, arbitrary: fc.constantFrom(201, 204, 301, 302, 403, 404, 407, 408, 429, 500, 502, 503, 504, 511) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 999 }) },
);
const responses = fc
  .tuple(
    statuses,
    bodies,
    fc.constantFrom<HttpResponse["headers"]>(
      ...[{}, {}, { "content-type": "application/json" }, { "content-type": "text/html; charset=utf-8" }],
      { location: `https://evil.test/?secret=${encodeURIComponent(SECRET)}&token=${TOKEN}` },
    ),
  )
  .map((parts) => toResponse(...parts));

/** A second implementation of RFC 6749 section 5.1. Returns undefined for a response without a valid token. */
function parseByReference(body: string): TokenResponse | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const { access_token, token_type, expires_in, scope, error } = json as Readonly<Record<string, unknown>>;
  if (typeof error === "string" && error !== "") return undefined;
  if (typeof access_token !== "string" || typeof token_type !== "string") return undefined;
  const unpadded = access_token.replace(/={0,2}$/, "");
  if (unpadded.length < 8 || unpadded.length > 65_536 || /[^A-Za-z0-9._~+/-]/.test(unpadded)) return undefined;
  if (token_type.toLowerCase() !== "bearer" || !(scope === undefined || typeof scope === "string")) return undefined;
  if (expires_in === undefined) return { accessToken: access_token, expiresIn: undefined, scope };
  if (typeof expires_in === "string" && !/^[0-9]{1,9}$/.test(expires_in)) return undefined;
  if (typeof expires_in !== "string" && typeof expires_in !== "number") return undefined;
  const expiresIn = Number(expires_in);
  return expiresIn > 0 && expiresIn <= 86_400 ? { accessToken: access_token, expiresIn, scope } : undefined;
}

test("accepts the same near-valid responses as a second implementation, and reveals no secret in errors", () => {
  const seen = new Set<string>();
  const plainBody = nearValidJson(success, others).map((body) => toResponse(200, body));
  fc.assert(
    fc.property(fc.oneof(responses, plainBody), (response) => {
      const tokens: string[] = [];
      const redactor = new Redactor([SECRET]);
      const outcome = parseTokenResponse(response, {
        quote: redactor.quote,
        onToken: (token) => {
          tokens.push(token);
          redactor.add(token);
        },
        clientId: "ci",
        requestedScope: "tsg_id:1",
      });
      seen.add(outcome.type);
      const isHtml = response.headers["content-type"]?.startsWith("text/html") ?? false;
      const isSuccess = response.status >= 200 && response.status < 300 && !isHtml;
      const expected = isSuccess ? parseByReference(response.body) : undefined;
      assert.deepEqual(outcome.type === "success" ? outcome.value : undefined, expected);
      if (outcome.type === "success") {
        assert.deepEqual(tokens, [outcome.value.accessToken]);
        return;
      }
      const { error } = outcome;
      if (outcome.type === "permanent") assert.ok(["rejected", "protocol"].includes(error.kind), error.kind);
      assert.doesNotMatch(error.message, /[\r\n]/);
      const shown = [error.message, error.hint, error.oauthError ?? "", error.stack ?? ""].join("\n");
      assertNoSecret({ shown }, [SECRET, ...tokens.filter((token) => token.includes(TOKEN))]);
    }),
    { numRuns: countRuns(1000) },
  );
  assert.deepEqual([...seen].sort(), ["overloaded", "permanent", "success", "transient"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Verdict } from "../../../shared/http/retry.ts";
import type { HttpAnswer } from "../../../shared/http/send.ts";
import type { AuthErrorCode } from "../../../shared/report/errors.ts";
import { judgeKeys } from "../../../shared/token/signing-keys.ts";
import { judgeTokenAnswer } from "../../../shared/token/token-endpoint.ts";

/**
 * THE policy: what an answer means, by status and body (design, "Retries"). A row is a status, a column a body, and a
 * letter a verdict: D done, F fault, O overload, X final.
 */
const LETTERS = { D: "done", F: "fault", O: "overload", X: "final" } as const;

const quote = (text: string): string => `<${text}>`;
const oauth = (error: string): object => ({ error, error_description: "because" });
const json = (body: unknown): Partial<HttpAnswer> => ({ body: JSON.stringify(body) });
const html = "<html><body>Log in to the guest network</body></html>";

const TOKEN_BODIES: Readonly<Record<string, Partial<HttpAnswer>>> = {
  "a token": json({ access_token: "abcdefgh", token_type: "Bearer" }),
  "the OAuth error invalid_client": json(oauth("invalid_client")),
  "the OAuth error temporarily_unavailable": json(oauth("temporarily_unavailable")),
  "the OAuth error server_error": json(oauth("server_error")),
  "a web page": { body: html, headers: { "content-type": "text/html; charset=utf-8" } },
  "a web page that does not say so": { body: `\n <!DOCTYPE html>${html}` },
  "text that is no JSON": { body: '{"access_token":"ab' },
  "no body": { body: "" },
  "JSON of another shape": json(["access_token"]),
};
const TOKEN_POLICY: Readonly<Record<number, string>> = {
  //   token invalid temporarily server page page text none shape
  199: "X     X       O           F      X    X    X    X    X",
  200: "D     X       O           F      X    X    F    F    X",
  201: "D     X       O           F      X    X    F    F    X",
  204: "D     X       O           F      X    X    F    F    X",
  299: "D     X       O           F      X    X    F    F    X",
  300: "X     X       X           X      X    X    X    X    X",
  301: "X     X       X           X      X    X    X    X    X",
  302: "X     X       X           X      X    X    X    X    X",
  304: "X     X       X           X      X    X    X    X    X",
  307: "X     X       X           X      X    X    X    X    X",
  308: "X     X       X           X      X    X    X    X    X",
  399: "X     X       X           X      X    X    X    X    X",
  400: "X     X       O           F      X    X    X    X    X",
  401: "X     X       O           F      X    X    X    X    X",
  403: "X     X       O           F      X    X    X    X    X",
  404: "X     X       O           F      X    X    X    X    X",
  407: "X     X       O           F      X    X    X    X    X",
  408: "F     F       F           F      F    F    F    F    F",
  425: "X     X       O           F      X    X    X    X    X",
  429: "O     O       O           O      O    O    O    O    O",
  500: "F     F       F           F      F    F    F    F    F",
  501: "X     X       X           X      X    X    X    X    X",
  502: "F     F       F           F      F    F    F    F    F",
  503: "O     O       O           O      O    O    O    O    O",
  504: "F     F       F           F      F    F    F    F    F",
  505: "X     X       X           X      X    X    X    X    X",
  599: "X     X       X           X      X    X    X    X    X",
};

const KEY_BODIES: Readonly<Record<string, Partial<HttpAnswer>>> = {
  "a key set": json({ keys: [{ kty: "RSA", n: "AQ", e: "AQAB" }] }),
  "an OAuth error": json(oauth("temporarily_unavailable")),
  "a web page by what it says": { body: "Log in", headers: { "content-type": "TEXT/HTML" } },
  "text that is no JSON": { body: '{"keys":[{"kty":"RS' },
  "no body": { body: "" },
  "no key in it": json({ keys: [] }),
};
const KEY_POLICY: Readonly<Record<number, string>> = {
  //   keys OAuth page text none empty
  200: "D    X     X    F    F    X",
  204: "D    X     X    F    F    X",
  302: "X    X     X    X    X    X",
  400: "X    X     X    X    X    X",
  401: "X    X     X    X    X    X",
  403: "X    X     X    X    X    X",
  404: "X    X     X    X    X    X",
  408: "F    F     F    F    F    F",
  429: "O    O     O    O    O    O",
  500: "F    F     F    F    F    F",
  501: "X    X     X    X    X    X",
  502: "F    F     F    F    F    F",
  503: "O    O     O    O    O    O",
  504: "F    F     F    F    F    F",
};

type Judge = (answer: HttpAnswer) => Verdict<unknown>;
const judges: readonly (readonly [
  string,
  Judge,
  Readonly<Record<string, Partial<HttpAnswer>>>,
  Record<number, string>,
])[] = [
  ["token request", (answer) => judgeTokenAnswer(answer, quote, () => undefined), TOKEN_BODIES, TOKEN_POLICY],
  ["request for the signing keys", (answer) => judgeKeys(answer, quote), KEY_BODIES, KEY_POLICY],
];

const answerOf = (status: number, rest: Partial<HttpAnswer>): HttpAnswer => ({
  ...{ status, headers: {}, body: "", clockOffset: undefined },
  ...rest,
});

/** The error of a verdict that is none of joy. */
function errorOf(verdict: Verdict<unknown>) {
  assert.ok(verdict.is !== "done");
  return verdict.error;
}

for (const [name, judge, bodies, policy] of judges) {
  for (const [status, row] of Object.entries(policy)) {
    test(`the ${name} answered with ${status}, by body`, () => {
      const letters = row.split(/ +/) as (keyof typeof LETTERS)[];
      assert.equal(letters.length, Object.keys(bodies).length);
      const expected = Object.keys(bodies).map((body, n) => [body, LETTERS[letters[n] ?? "D"]]);
      const actual = Object.entries(bodies).map(([body, rest]) => [body, judge(answerOf(Number(status), rest)).is]);
      assert.deepEqual(actual, expected);
    });
  }

  test(`a failed ${name} says what it is that failed, and how retryable it is follows from the verdict`, () => {
    for (const status of Object.keys(policy)) {
      for (const rest of Object.values(bodies)) {
        const verdict = judge(answerOf(Number(status), rest));
        if (verdict.is === "done") continue;
        assert.match(verdict.error.message, /token request|token answer|signing keys|key set|sign in/);
        assert.equal(verdict.error.retryable, verdict.is !== "final", verdict.error.message);
      }
    }
  });
}

const [judgeToken] = judges.map(([, judge]) => judge);
assert.ok(judgeToken);

/** What is told: the error's code, its prefix, and what must stand in its message. */
const told: readonly (readonly [status: number, body: string, code: AuthErrorCode, prefix: string, said: string])[] = [
  [429, "no body", "rate_limited", "HTTP error", "status 429"],
  [429, "the OAuth error invalid_client", "rate_limited", "HTTP error", "status 429, saying \"<invalid_client>: <because>\""],
  [503, "a web page", "server_error", "HTTP error", "status 503"],
  [501, "no body", "http_rejected", "HTTP error", "status 501"],
  [404, "a web page", "http_rejected", "HTTP error", "status 404"],
  [400, "no body", "http_rejected", "HTTP error", "status 400"],
  [302, "no body", "redirected", "HTTP error", "status 302, a redirect to <nowhere>"],
  [401, "the OAuth error invalid_client", "invalid_client", "Authentication error", "(status 401): <invalid_client>: <because>"],
  [200, "the OAuth error invalid_client", "invalid_client", "Authentication error", "(status 200): <invalid_client>: <because>"],
  [400, "the OAuth error server_error", "server_error", "HTTP error", "(status 400): <server_error>: <because>"],
  [200, "a web page", "html_page", "Authentication error", "a web page"],
  [200, "no body", "not_json", "Authentication error", "no JSON"],
  [200, "JSON of another shape", "bad_token_answer", "Authentication error", "no JSON object"],
]; // prettier-ignore
for (const [status, body, code, prefix, said] of told) {
  test(`a token request answered with ${status} and ${body} fails as ${code}`, () => {
    const error = errorOf(judgeToken(answerOf(status, TOKEN_BODIES[body] ?? {})));
    assert.deepEqual([error.code, error.message.split(":")[0]], [code, prefix]);
    assert.ok(error.message.includes(said), error.message);
    // Where the body was read and is wrong, the status has nothing to do with it.
    assert.equal(error.status, code === "bad_token_answer" ? undefined : status);
  });
}

test("every redirect is told as one", () => {
  for (const status of [300, 301, 302, 303, 304, 307, 308, 399])
    assert.equal(errorOf(judgeToken(answerOf(status, {}))).code, "redirected");
});

test("where a redirect would lead is told as foreign text", () => {
  const error = errorOf(judgeToken(answerOf(302, { headers: { location: "https://evil.test" } })));
  assert.match(error.message, /a redirect to <https:\/\/evil\.test>\.$/);
});

test("an answer that only speaks of a web page is none", () => {
  const good = TOKEN_BODIES["a token"] ?? {};
  const type = "application/json; profile=text/html";
  assert.equal(judgeToken(answerOf(200, { ...good, headers: { "content-type": type } })).is, "done");
  const error = errorOf(judgeToken(answerOf(200, json({ note: "<html>" }))));
  assert.equal(error.code, "bad_token_answer");
});

test("a web page in place of a refusal is pointed at by the hint", () => {
  const page = errorOf(judgeToken(answerOf(403, TOKEN_BODIES["a web page"] ?? {})));
  assert.match(page.hint, /web page/);
});

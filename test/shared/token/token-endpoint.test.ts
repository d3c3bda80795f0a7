import assert from "node:assert/strict";
import { test } from "node:test";

import type { HttpAnswer } from "../../../shared/http/send.ts";
import { AuthRequest } from "../../../shared/token/auth-request.ts";
import { judgeTokenAnswer, tokenRequest, type TokenAnswer } from "../../../shared/token/token-endpoint.ts";
import * as fc from "../../support/fuzzing.ts";
import { foreignText, usualSecret } from "../../support/texts.ts";

const quote = (text: string): string => `<${text}>`;
const answerOf = (body: unknown, status = 200): HttpAnswer => ({
  ...{ status, headers: {}, clockOffset: undefined },
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const judge = (body: unknown, onToken: (token: string) => void = () => undefined) =>
  judgeTokenAnswer(answerOf(body), quote, onToken);

const good = { access_token: "abc.DEF-1_~+/==", token_type: "Bearer", expires_in: 899, scope: "tsg_id:1" };

test("the request posts four fields as a form and nothing else", () => {
  fc.assert(
    fc.property(usualSecret, (clientSecret) => {
      const request = AuthRequest.parse({ clientId: "a+b&c=d@x", clientSecret, tsgId: "1" });
      const { method, url, headers, body = "" } = tokenRequest(request);
      assert.deepEqual([method, url.href], ["POST", request.tokenUrl.href]);
      assert.deepEqual(headers, {
        accept: "application/json",
        "content-type": "application/x-www-form-urlencoded",
      });
      assert.deepEqual(
        [...new URLSearchParams(body)],
        [
          ["grant_type", "client_credentials"],
          ["client_id", "a+b&c=d@x"],
          ["client_secret", clientSecret],
          ["scope", "tsg_id:1"],
        ],
      );
    }),
  );
});

const accepted: readonly (readonly [what: string, body: object, read: Partial<TokenAnswer>])[] = [
  ["all that SCM sends", { ...good, refresh_token: 1 }, {}],
  ["a type in lower case", { ...good, token_type: "bearer" }, {}],
  ["no scope", { ...good, scope: undefined }, { scope: undefined }],
  ["no life", { ...good, expires_in: undefined }, { expiresIn: undefined }],
  ["a life in digits", { ...good, expires_in: "0899" }, {}],
  ["a life of a day", { ...good, expires_in: 86_400 }, { expiresIn: 86_400 }],
  ["a life of a part of a second", { ...good, expires_in: 0.5 }, { expiresIn: 0.5 }],
  ["a token of the largest size", { ...good, access_token: "a".repeat(65_536) }, { accessToken: "a".repeat(65_536) }],
];
for (const [what, body, read] of accepted) {
  test(`an answer is taken with ${what}`, () => {
    const value = { accessToken: good.access_token, expiresIn: 899, scope: "tsg_id:1", ...read };
    assert.deepEqual(judge(body), { is: "done", value });
  });
}

const refused: readonly (readonly [field: keyof typeof good, values: readonly unknown[]])[] = [
  [
    "access_token",
    [undefined, null, "", " ", "a b", "a\n", "a\r\nX: y", "é", "=", "a=b", 7, ["a"], "a".repeat(65_537)],
  ],
  ["token_type", [undefined, null, "", "mac", "Bearer ", "MyBearer", "DPoP", 1, ["Bearer"]]],
  ["expires_in", [0, -1, 86_401, 1e9, 1e300, "", "-1", "1e3", "1.5", " 9", "0", "99999999999", null, true, [9], {}]],
  ["scope", [null, 1, ["tsg_id:1"], {}]],
];
for (const [field, values] of refused) {
  test(`an answer is refused by the name of ${field} when that is wrong`, () => {
    for (const value of values) {
      const verdict = judge({ ...good, [field]: value });
      assert.ok(verdict.is === "final", JSON.stringify(value));
      assert.equal(verdict.error.code, "bad_token_answer");
      assert.ok(verdict.error.message.includes(`must be: ${field} is`), verdict.error.message);
    }
  });
}

test("a number that JSON can't hold is refused", () => {
  assert.equal(judge(JSON.stringify(good).replace("899", "1e999")).is, "final");
});

test("a word too short to be masked, or too long to be a token, is not told as one", () => {
  const told: string[] = [];
  for (const token of ["e", "1234567", "x".repeat(70_000), ""]) {
    judgeTokenAnswer(answerOf({ access_token: token }, 400), String, (found) => told.push(found));
  }
  assert.equal(told.length, 0);
});

test("of an ill-made answer's words four are told, the longest that may be a token among them", () => {
  const told: string[] = [];
  const words = ["x".repeat(65_536), "shortest", "a second word", "another-one", "the-last-one"];
  judgeTokenAnswer(answerOf({ access_token: words.join("\n") }, 400), String, (found) => told.push(found));
  assert.deepEqual(told, ["x".repeat(65_536), "shortest", "another-one", "the-last-one"]);
  const more: string[] = [];
  judgeTokenAnswer(answerOf({ access_token: "12345678 ".repeat(6) }), String, (found) => more.push(found));
  assert.equal(more.length, 4);
});

/** What a refusal says, by its body and the scope that was asked for. */
const REFUSALS: readonly (readonly [body: object, asked: string | undefined, said: string])[] = [
  [{ error: "invalid_scope" }, "tsg_id:1", "<invalid_scope> (asked for <tsg_id:1>)."],
  [{ error: "invalid_scope", error_description: "no" }, undefined, "<invalid_scope>: <no>."],
  [{ error: "invalid_client" }, "tsg_id:1", "<invalid_client>."],
  [{ error: "other", error_description: 1 }, "tsg_id:1", "<other>."],
];
for (const [body, asked, said] of REFUSALS) {
  test(`a refusal of ${JSON.stringify(body)} says ${said}`, () => {
    const verdict = judgeTokenAnswer(answerOf(body, 400), quote, () => undefined, asked);
    assert.ok(verdict.is === "final");
    assert.ok(verdict.error.message.endsWith(`(status 400): ${said}`), verdict.error.message);
  });
}

test("each token in an answer is told before anything is said, whatever else the answer holds", () => {
  const tokens = fc.oneof(foreignText, fc.base64String()).filter((token) => /^\S{8,}$/.test(token));
  const statuses = fc.constantFrom(200, 302, 400, 401, 429, 500, 503);
  fc.assert(
    fc.property(tokens, statuses, fc.option(fc.constantFrom("invalid_client", "x")), (token, status, error) => {
      const told: string[] = [];
      const said: string[] = [];
      const answer = answerOf({ access_token: token, error, error_description: token }, status);
      judgeTokenAnswer(
        answer,
        (text) => {
          assert.deepEqual(told, [token]);
          said.push(text);
          return "";
        },
        (found) => told.push(found),
      );
      assert.deepEqual(told, [token]);
    }),
  );
});

test("nothing that the server says is told unquoted", () => {
  fc.assert(
    fc.property(foreignText, fc.anything(), fc.constantFrom(200, 400, 429, 500), (error, description, status) => {
      const body = JSON.stringify({ error: `MARK${error}`, error_description: `MARK${JSON.stringify(description)}` });
      const verdict = judgeTokenAnswer(
        answerOf(body, status),
        () => "quoted",
        () => undefined,
      );
      assert.ok(verdict.is !== "done");
      assert.doesNotMatch(`${verdict.error.message}${verdict.error.hint}${verdict.error.oauthError ?? ""}`, /MARK/);
    }),
  );
});

const hostile: readonly unknown[] = [
  null,
  1,
  "text",
  [],
  { error: null },
  { error: ["x"] },
  { error: { toString: 1 } },
];
for (const body of hostile) {
  test(`an answer of ${JSON.stringify(body)} is final and no refusal`, () => {
    const verdict = judge(JSON.stringify(body));
    assert.ok(verdict.is === "final");
    assert.equal(verdict.error.code, "bad_token_answer");
  });
}

test("an OAuth error by the name of a built-in is an error as any other", () => {
  for (const error of ["constructor", "__proto__", "toString"]) {
    const verdict = judge({ error });
    assert.ok(verdict.is === "final");
    assert.deepEqual([verdict.error.code, verdict.error.oauthError], ["oauth_error", `<${error}>`]);
  }
});

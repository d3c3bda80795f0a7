import assert from "node:assert/strict";
import { test } from "node:test";

import { judgeApi, readApiBody, repeatFailure } from "../../../shared/client/api-answer.ts";
import { ApiError } from "../../../shared/client/api-error.ts";
import { RETRIED_STATUS } from "../../../shared/http/retry.ts";
import type { HttpAnswer, HttpMethod } from "../../../shared/http/send.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { Redactor } from "../../../shared/report/redactor.ts";

const METHODS: Readonly<Record<HttpMethod, "idempotent" | "not">> = {
  GET: "idempotent",
  HEAD: "idempotent",
  PUT: "idempotent",
  DELETE: "idempotent",
  POST: "not",
  PATCH: "not",
};
const methods = Object.entries(METHODS) as [HttpMethod, "idempotent" | "not"][];

const answerOf = (status: number, body = "", headers: HttpAnswer["headers"] = {}): HttpAnswer => ({
  ...{ status, body, headers, clockOffset: undefined },
});
const redactor = (): Redactor => new Redactor(["s3cret"]);

for (const [method, kind] of methods) {
  test(`an answer to ${method} is a reason to repeat it when nothing can be done twice`, () => {
    for (const status of [200, 204, 302, 400, 401, 404, 408, 429, 500, 502, 503, 504]) {
      for (const headers of [{}, { "retry-after": "1" }]) {
        const answer = answerOf(status, "", headers);
        const verdict = judgeApi(answer, method);
        const untouched = status === 429 || (status === 503 && "retry-after" in headers);
        const again = kind === "idempotent" || untouched ? RETRIED_STATUS[status] : undefined;
        if (again === undefined) assert.deepEqual(verdict, { is: "done", value: answer });
        else {
          assert.ok(verdict.is === again, `${status} ${verdict.is}`);
          assert.ok(verdict.error.message.endsWith(`: the API answered with status ${status}.`));
          assert.equal(verdict.error.status, status);
        }
      }
    }
  });
}

test("a call without an answer is repeated when it may pass and nothing can be done twice", () => {
  const silent = new AuthError("", { kind: "timeout", code: "no_answer" });
  const broken = new AuthError("", { kind: "network", code: "connection_failed" });
  const unsent = new AuthError("", { kind: "network", code: "connection_failed", requestSent: false });
  const untrusted = new AuthError("", { kind: "network", code: "untrusted_certificate", requestSent: false });
  for (const [method, kind] of methods) {
    const [ifSilent, ifBroken] = kind === "idempotent" ? (["overload", "fault"] as const) : ["final", "final"];
    assert.deepEqual(
      [silent, broken, unsent, untrusted].map((error) => repeatFailure(error, method)),
      [ifSilent, ifBroken, "fault", "final"],
      method,
    );
  }
});

const BODIES: readonly (readonly [what: string, answer: HttpAnswer, method: HttpMethod, json: unknown])[] = [
  ["JSON", answerOf(200, '{"id":1}'), "GET", { id: 1 }],
  ["JSON of a 299", answerOf(299, "null"), "GET", null],
  ["nothing", answerOf(200), "GET", undefined],
  ["a 204, whatever comes with it", answerOf(204, "no JSON"), "DELETE", undefined],
  ["a HEAD, whatever comes with it", answerOf(200, "no JSON"), "HEAD", undefined],
];
for (const [what, answer, method, json] of BODIES) {
  test(`the body of ${what} is read as ${json === undefined ? "none" : JSON.stringify(json)}`, () => {
    assert.deepEqual(readApiBody(answer, method, redactor), json);
  });
}

const failed = (errors: unknown, rest: object = {}): string => JSON.stringify({ _errors: errors, ...rest });
const details = { why: "s3cret", at: [1] };
const FAILURES: readonly (readonly [answer: HttpAnswer, told: string, facts?: object])[] = [
  [answerOf(200, "no JSON"), "the API answered 200 with a text that is no JSON."],
  [answerOf(199, "{}"), "the API answered 199."],
  [answerOf(300, "{}"), "the API answered 300."],
  [answerOf(404), "the API answered 404."],
  [answerOf(502, "<html>"), "the API answered 502."],
  [answerOf(400, failed([])), "the API answered 400."],
  [answerOf(400, failed([{}])), "the API answered 400."],
  [answerOf(400, failed([{ code: "E003" }])), "the API answered 400: E003.", { code: "E003" }],
  [answerOf(400, failed([{ message: "Bad a.b." }])), "the API answered 400: Bad a.b."],
  [
    answerOf(400, failed([{ code: "E.1", message: "Bad a.b" }, {}, {}])),
    "the API answered 400: E.1: Bad a.b (and 2 more).",
    { code: "E.1" },
  ],
  [
    answerOf(409, failed([{ code: "E s3cret\n", message: "no s3cret\n!", details }], { _request_id: "id s3cret" })),
    "the API answered 409: E ***: no *** !.",
    { code: "E ***", requestId: "id ***", details: { why: "***", at: [1] } },
  ],
  [answerOf(400, failed("text", { _request_id: "1" })), "the API answered 400."],
];
for (const [answer, told, facts = {}] of FAILURES) {
  test(`an answer of ${answer.status} with "${answer.body.slice(0, 40)}" is told as: ${told}`, () => {
    assert.throws(
      () => readApiBody(answer, "GET", redactor),
      (error) => {
        assert.ok(ApiError.isApiError(error), String(error));
        const { message, status, code, requestId, details: more } = error;
        assert.deepEqual(
          { message, status, code, requestId, details: more },
          {
            ...{ message: told, status: answer.status, code: undefined, requestId: undefined, details: undefined },
            ...facts,
          },
        );
        return true;
      },
    );
  });
}

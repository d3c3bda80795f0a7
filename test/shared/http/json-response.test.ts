import assert from "node:assert/strict";
import { test } from "node:test";
import { classifyJsonResponse, parseJson } from "../../../shared/http/json-response.ts";
import { Redactor } from "../../../shared/redact.ts";

const SECRET = "s3cret-value-of-a-test";
const { quote } = new Redactor([SECRET]);
const HTML = { "content-type": "text/html; charset=utf-8" };

interface Row {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly detail?: string;
  readonly expected: readonly [type: string, kind: string, code: string, description: string];
}

const ROWS: readonly Row[] = [
  { status: 429, expected: ["overloaded", "rate_limited", "rate_limited", "the token request failed with status 429."] },
  { status: 503, headers: HTML, expected: ["overloaded", "server", "server_error", "the token request failed with status 503."] },
  { status: 408, expected: ["transient", "server", "server_error", "the token request failed with status 408."] },
  { status: 500, detail: "Try later.", expected: ["transient", "server", "server_error", "the token request failed with status 500: Try later."] },
  { status: 502, expected: ["transient", "server", "server_error", "the token request failed with status 502."] },
  { status: 504, expected: ["transient", "server", "server_error", "the token request failed with status 504."] },
  { status: 501, expected: ["permanent", "rejected", "http_error", "the token request failed with status 501."] },
  { status: 404, detail: "no", expected: ["permanent", "rejected", "http_error", "the token request failed with status 404: no."] },
  { status: 302, headers: { location: "https://a.test/" }, expected: ["permanent", "rejected", "unexpected_redirect", "the token request failed with status 302 (redirect to https://a.test/)."] },
  { status: 307, headers: { location: `https://a.test/?x=${SECRET}` }, expected: ["permanent", "rejected", "unexpected_redirect", "the token request failed with status 307 (redirect to (removed: it contains part of a secret))."] },
  { status: 304, expected: ["permanent", "rejected", "unexpected_redirect", "the token request failed with status 304 (redirect to an unknown URL)."] },
  { status: 200, headers: HTML, body: "{}", expected: ["permanent", "protocol", "html_response", "the token request returned an HTML page."] },
  { status: 200, body: "\n <!DOCTYPE html>", expected: ["permanent", "protocol", "html_response", "the token request returned an HTML page."] },
  { status: 200, body: "{", expected: ["transient", "protocol", "invalid_json", "the token request did not return JSON."] },
  { status: 204, body: "", expected: ["transient", "protocol", "invalid_json", "the token request did not return JSON."] },
]; // prettier-ignore
for (const { status, body = "{}", headers = {}, detail, expected } of ROWS) {
  test(`reports status ${status} with ${JSON.stringify(body)} ${JSON.stringify({ headers, detail })} as ${expected[2]}`, () => {
    const failure = classifyJsonResponse("token", { status, body, headers, clockOffset: undefined }, quote, detail);
    assert.ok(failure);
    const { type, error } = failure;
    assert.deepEqual([type, error.kind, error.code, error.description], expected);
    assert.equal(error.status, status);
  });
}

test("adds a hint about proxies to an error page from a proxy", () => {
  const response = { status: 403, body: "<html>", headers: {}, clockOffset: undefined };
  assert.match(classifyJsonResponse("jwks", response, quote)?.error.hint ?? "", /HTML page instead of JSON/);
});

test("does not report a JSON response as a failure", () => {
  for (const body of ["{}", "[]", "null", "1"])
    assert.equal(classifyJsonResponse("token", { status: 200, body, headers: {}, clockOffset: 0 }, quote), undefined);
  assert.deepEqual([parseJson("[1]"), parseJson("[1"), parseJson("")], [[1], undefined, undefined]);
});

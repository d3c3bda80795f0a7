import assert from "node:assert/strict";
import { test } from "node:test";

import { printable } from "../../shared/report/printable.ts";
import { Redactor } from "../../shared/report/redactor.ts";
import { judgeTokenAnswer, type TokenAnswer } from "../../shared/token/token-endpoint.ts";
import { assertNoCanary, canBeCanary } from "../support/canaries.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyJson, nearlyText } from "../support/nearly.ts";

/** Answers of a token endpoint that are nearly right, the secret and the token told back in any of their fields. */

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
const good = { access_token: TOKEN, token_type: "Bearer", expires_in: 899, scope: "tsg_id:1" };
const refusal = { error: "invalid_client", error_description: `not ${SECRET}`, error_uri: "https://auth.test/" };
const passing = { error: "temporarily_unavailable", access_token: TOKEN };

const bodies = fc.oneof(
  ...[good, good, refusal, passing, { ...good, ...refusal }].map((body) => nearlyJson(body, others)),
  nearlyText(nearlyJson(good, others), 2),
  nearlyText(`<!doctype html><title>${SECRET} ${TOKEN}</title>`),
);
const anyAnswers = fc.record({
  status: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(200, 200, 200, 400, 401) },
    { weight: 1, arbitrary: fc.constantFrom(201, 204, 301, 302, 403, 404, 407, 408, 429, 500, 502, 503, 504, 511) },
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 999 }) },
  ),
  headers: fc.constantFrom(
    ...[{}, {}, { "content-type": "application/json" }, { "content-type": "text/html; charset=utf-8" }],
    { location: `https://evil.test/?secret=${encodeURIComponent(SECRET)}&token=${TOKEN}` },
  ),
  body: bodies,
  clockOffset: fc.constantFrom(undefined, 0, -1e7),
});

/** Of those with nothing but the body wrong there are as many, since only they are read to their end. */
const answers = fc.oneof(
  anyAnswers,
  nearlyJson(good, others).map((body) => ({ status: 200, headers: {}, body, clockOffset: undefined })),
);

/** A second reading of RFC 6749 section 5.1, as narrow as ours; undefined for what is no token answer. */
function readByHand(body: string): TokenAnswer | undefined {
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
  const bare = access_token.replace(/={0,2}$/, "");
  if (bare.length < 8 || bare.length > 65_536 || /[^A-Za-z0-9._~+/-]/.test(bare)) return undefined;
  if (token_type.toLowerCase() !== "bearer" || !(scope === undefined || typeof scope === "string")) return undefined;
  if (expires_in === undefined) return { accessToken: access_token, expiresIn: undefined, scope };
  if (typeof expires_in === "string" && !/^[0-9]{1,9}$/.test(expires_in)) return undefined;
  if (typeof expires_in !== "string" && typeof expires_in !== "number") return undefined;
  const life = Number(expires_in);
  return life > 0 && life <= 86_400 ? { accessToken: access_token, expiresIn: life, scope } : undefined;
}

const FINAL_KINDS: ReadonlySet<string> = new Set(["rejected", "protocol"]);
const KINDS: ReadonlySet<string> = new Set([...FINAL_KINDS, "server", "rate_limited"]);

test("an answer that is nearly right is taken as a second reading takes it, else refused with nothing in it shown", () => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(answers, (answer) => {
      const told: string[] = [];
      const redactor = new Redactor([SECRET]);
      const quote = (text: string): string => redactor.redact(printable(redactor.redact(text)));
      const onToken = (token: string): void => {
        told.push(token);
        redactor.add(token);
      };
      const verdict = judgeTokenAnswer(answer, quote, onToken, "tsg_id:1");
      seen[verdict.is] = (seen[verdict.is] ?? 0) + 1;

      const isHtml = "content-type" in answer.headers && answer.headers["content-type"].startsWith("text/html");
      const isGood = answer.status >= 200 && answer.status < 300 && !isHtml;
      const read = isGood ? readByHand(answer.body) : undefined;
      assert.deepEqual(verdict.is === "done" ? verdict.value : undefined, read);
      if (verdict.is === "done") {
        assert.deepEqual(told, [verdict.value.accessToken]);
        return;
      }
      const { error } = verdict;
      assert.ok(KINDS.has(error.kind), error.kind);
      if (verdict.is === "final") assert.ok(FINAL_KINDS.has(error.kind), error.kind);
      const shown = [error.message, error.hint, error.oauthError ?? "", error.stack ?? ""].join("\n");
      assert.doesNotMatch(error.message, /[\r\n]/);
      assertNoCanary([SECRET, ...told.filter(canBeCanary).filter((token) => token.includes(TOKEN))], { shown });
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual(Object.keys(seen).sort(), ["done", "fault", "final", "overload"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { openSealed } from "../../shared/handoff/sealed-token.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { assertNoCanary } from "../support/canaries.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyJson, nearlyText } from "../support/nearly.ts";
import { headerByHand, openByHand, sealByHand } from "../support/sealed-by-hand.ts";
import { compact } from "../support/tokens.ts";

/** Sealed tokens that are nearly right: sealed under the right key with a wrong header or payload, and changed after. */

const WALL = Date.UTC(2026, 0, 31, 12);
const END = WALL / 1000 + 900;
const fields = {
  clientId: "ci@1.iam.panserviceaccount.com",
  clientSecret: "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10",
  tokenUrl: "https://auth.test/am/oauth2/access_token",
};
const request = AuthRequest.parse(fields);
const byHand = { ...fields, scope: "tsg_id:1" };
const SALT = new Uint8Array(32).fill(7);

const jwtOf = (claims: string): string => compact({ alg: "RS256" }, claims, () => "c2lnbmF0dXJl");
const JWT = jwtOf(JSON.stringify({ exp: END, sub: "x" }));
const times = [END, END - 1000, WALL / 1000, END * 1000, 253_402_300_799, 253_402_300_799.5];

const right = JSON.stringify(headerByHand(SALT));
const headers = fc.oneof(
  { weight: 4, arbitrary: fc.constant(right) },
  { weight: 1, arbitrary: fc.constantFrom(right.replace("{", '{"v":2,'), right.replaceAll(",", ", "), `${right} `) },
  { weight: 1, arbitrary: nearlyJson(headerByHand(SALT), ["dir", "A128GCM", 1, 2, "A".repeat(43), "A".repeat(42)]) },
  { weight: 1, arbitrary: nearlyJson({ ...headerByHand(SALT), v: 2 }) },
  { weight: 1, arbitrary: nearlyJson(headerByHand(SALT.map(() => 8))) },
  { weight: 1, arbitrary: nearlyText(right, 1) },
);
const tokens = fc.oneof(
  { weight: 3, arbitrary: fc.constant(JWT) },
  { weight: 1, arbitrary: nearlyJson({ exp: END, sub: "x" }, times).map(jwtOf) },
  { weight: 1, arbitrary: nearlyText(JWT, 1) },
);
const payloads = fc.oneof(
  fc.constant(JSON.stringify({ access_token: JWT, exp: END })),
  tokens.chain((token) => nearlyJson({ access_token: token, exp: END }, [...times, JWT])),
);
const sealed = fc
  .tuple(headers, payloads)
  .map(([header, payload]) => sealByHand(byHand, payload, { header: () => header, salt: SALT }));
const texts = fc.oneof({ weight: 2, arbitrary: sealed }, { weight: 1, arbitrary: nearlyText(sealed, 2) });

const isTime = (value: unknown): value is number => typeof value === "number" && value >= 0 && value <= 253_402_300_799;
const canonical = (segment: string): boolean => Buffer.from(segment, "base64url").toString("base64url") === segment;

const isOfLength = (segment: unknown, bytes: number | undefined): boolean =>
  typeof segment === "string" && canonical(segment) && Buffer.from(segment, "base64url").length === bytes;

/** The token and its end, in seconds, as a second implementation that is as strict has them; undefined: refused. */
function readByHand(text: string): readonly [token: string, end: number] | undefined {
  try {
    const parts = text.split(".");
    if (parts.length !== 5 || parts[1] !== "" || !parts.every(canonical)) return undefined;
    const header = Buffer.from(parts[0] ?? "", "base64url").toString();
    const json = JSON.parse(header) as Readonly<Record<string, unknown>>;
    const names = Object.keys(json).sort().join();
    if (names !== "alg,enc,salt,v" || JSON.stringify(json) !== header) return undefined;
    if (json["alg"] !== "dir" || json["enc"] !== "A256GCM" || json["v"] !== 1) return undefined;
    if (![json["salt"], parts[2], parts[4]].every((segment, n) => isOfLength(segment, [32, 12, 16][n])))
      return undefined;
    const { access_token: token, exp } = openByHand(byHand, text) as Readonly<Record<string, unknown>>;
    if (typeof token !== "string" || !isTime(exp)) return undefined;
    const claims = token.split(".")[1] ?? "";
    const own = JSON.parse(Buffer.from(claims, "base64url").toString()) as { readonly exp?: unknown };
    if (!canonical(claims) || Array.isArray(own) || !isTime(own.exp)) return undefined;
    const end = Math.min(exp, own.exp);
    return end * 1000 > WALL ? [token, end] : undefined;
  } catch {
    return undefined;
  }
}

test("a sealed token that is nearly right opens as a second implementation opens it, else is refused and not shown", async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const outcome: unknown = await openSealed(request, text, WALL).catch((error: unknown) => error);
      const read = readByHand(text);
      if (AuthError.isAuthError(outcome)) {
        assert.equal(read, undefined, `${outcome.code}: ${text}`);
        assert.equal(outcome.kind, "verification");
        assert.match(outcome.code, /^sealed_/);
        seen[outcome.code] = 1;
        const shown = `${outcome.message}\n${outcome.hint}\n${outcome.stack ?? ""}`;
        assertNoCanary([fields.clientSecret, JWT], { shown });
      } else {
        assert.deepEqual(outcome, read && { token: read[0], expiresAt: read[1] * 1000 }, text);
        seen["opened"] = 1;
      }
    }),
    { numRuns: 300 },
  );
  const codes = ["opened", "sealed_damaged", "sealed_foreign", "sealed_stale", "sealed_version"];
  assert.deepEqual(Object.keys(seen).sort(), codes);
});

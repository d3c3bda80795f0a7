import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import {
  belongsTo,
  formatAuthFile,
  parseAuthFile,
  PLACEHOLDER,
  type AuthFileEntry,
} from "../../shared/handoff/auth-file-format.ts";
import { AuthFileLook } from "../../shared/handoff/found-auth-file.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { AccessToken } from "../../shared/token/access-token.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { assertNoCanary } from "../support/canaries.ts";
import { makeFakeClock } from "../support/fake-clock.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyJson, nearlyText } from "../support/nearly.ts";

/** Auth files that are nearly ours, as text and as they lie on the disk. */

const WALL = Date.UTC(2026, 0, 31, 12);
const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl-_";
const request = AuthRequest.parse({ clientId: "ci@1.iam.panserviceaccount.com", clientSecret: SECRET });
const ours: AuthFileEntry = {
  clientId: request.clientId,
  clientSecret: PLACEHOLDER,
  scope: request.scope,
  authUrl: request.tokenUrl.href,
  jwt: JWT,
  jwtExpiresAt: WALL + 900_000,
  jwtLifetime: 900_000,
};
const loopback = { authUrl: "http://127.0.0.1:4711/am/oauth2/access_token", clientSecret: "s".repeat(43) };
const ended = { jwtExpiresAt: WALL - 1000, clientId: "other@2.iam.panserviceaccount.com" };

const others = [
  ...[SECRET, "s".repeat(43), PLACEHOLDER, JWT, "tsg_id:1", " tsg_id:1  tsg_id:1", loopback.authUrl, 900, -1],
  ...["2026-01-31T13:00:00.123456789+01:00", "2026-02-30T12:00:00Z", "2026-01-31T12:00:00", "9999-12-31T23:59:59Z"],
];
const texts = fc.oneof(
  ...[ours, ours, { ...ours, ...loopback }, { ...ours, ...ended }].map((entry) =>
    nearlyJson(JSON.parse(formatAuthFile(entry)) as object, others),
  ),
  nearlyText(formatAuthFile(ours)),
);

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** A second reading; undefined for what is no auth file. */
function readByHand(text: string): AuthFileEntry | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const file = json as Readonly<Record<string, unknown>>;
  const { client_id, client_secret, scope, auth_url, jwt, jwt_expires_at: date, jwt_lifetime: life } = file;
  if (!isText(client_id) || !isText(client_secret) || !isText(scope) || !isText(auth_url) || !isText(jwt))
    return undefined;
  if (jwt.length > 65_536 || !Number.isSafeInteger(life) || (life as number) < 0 || !isText(date)) return undefined;
  const [, day = "", time = "", zone = ""] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.exec(date) ?? [];
  const end = Date.parse(date);
  if (day === "" || time === "" || zone === "" || Number.isNaN(end)) return undefined;
  return {
    ...{ clientId: client_id, clientSecret: client_secret, scope, authUrl: auth_url, jwt },
    ...{ jwtExpiresAt: end, jwtLifetime: (life as number) * 1000 },
  };
}

test("a file that is nearly ours is read as a second reading reads it, and written anew it says the same", () => {
  let believed = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const read = parseAuthFile(text);
      assert.deepEqual(read, readByHand(text));
      if (read === undefined) return;
      believed++;
      // JSON has two ways to write nothing at all, 0 and -0.
      assert.deepEqual(parseAuthFile(formatAuthFile(read)), { ...read, jwtLifetime: read.jwtLifetime + 0 });
    }),
    { numRuns: 500 },
  );
  assert.ok(believed > 100, `${believed} texts were believed`);
});

/** No file with another secret than those that scm-auth itself makes up may be touched. */
const isOursByHand = ({ clientSecret, authUrl }: AuthFileEntry): boolean =>
  clientSecret === PLACEHOLDER ||
  (/^[\w-]{43}$/.test(clientSecret) && /^http:\/\/127\.0\.0\.1:\d+\/am\/oauth2\/access_token$/.test(authUrl));

const folder = await mkdtemp(join(tmpdir(), "scm-auth-fuzz-"));
after(() => rm(folder, { recursive: true }));
const path = join(folder, "auth.json");

const honest = new AccessToken(JWT, {
  ...{ expiresAt: new Date(WALL + 900_000), lifetime: 900_000, life: 900_000 },
  ...{ scope: ["tsg_id:1"], tenants: ["1"] },
});
/** Stands for the proof of a token: one alone can be proved. */
const prove = (raw: string): Promise<AccessToken> =>
  raw === JWT
    ? Promise.resolve(honest)
    : Promise.reject(new AuthError("no proof.", { kind: "verification", code: "bad_signature" }));

test("of a file that is nearly ours nothing is used but a token that is proved, and no failure shows what it holds", async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(texts, fc.constantFrom(0o600, 0o600, 0o600, 0o644), async (text, mode) => {
      await rm(path, { force: true });
      await writeFile(path, text, { mode });
      const look = new AuthFileLook({ path, request, verify: true, clock: makeFakeClock(WALL), prove });
      try {
        const { held, endpoint } = await look.look();
        const read = readByHand(text);
        assert.equal(endpoint, undefined);
        assert.equal(held?.token, held && honest);
        const isUsed = mode === 0o600 && read?.jwt === JWT && belongsTo(read, request);
        assert.equal(held !== undefined, isUsed, text);
        assert.ok(read !== undefined && isOursByHand(read), text);
        seen[isUsed ? "used" : "replaced"] = 1;
      } catch (error) {
        assert.ok(AuthError.isAuthError(error), String(error));
        assert.equal(error.kind, "config");
        seen[error.code] = 1;
        assertNoCanary([SECRET, JWT, loopback.clientSecret], {
          error: `${error.message}${error.hint}${error.stack ?? ""}`,
        });
      }
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(Object.keys(seen).sort(), ["auth_file_foreign", "auth_file_in_use", "replaced", "used"]);
});

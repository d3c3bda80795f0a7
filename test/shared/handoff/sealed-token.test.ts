import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text as allOf } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { openSealed, seal, type Opened } from "../../../shared/handoff/sealed-token.ts";
import { sealingKey } from "../../../shared/handoff/sealing-key.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { Redactor } from "../../../shared/report/redactor.ts";
import { secretForms } from "../../../shared/report/secrets.ts";
import { AuthRequest, type AuthRequestInput } from "../../../shared/token/auth-request.ts";
import * as fc from "../../support/fuzzing.ts";
import { makeRunnerMasks } from "../../support/runner-masks.ts";
import { headerByHand, infoByHand, keyByHand, openByHand, sealByHand } from "../../support/sealed-by-hand.ts";
import { spawn } from "../../support/searched-process.ts";
import { compact } from "../../support/tokens.ts";
import { missingTool, versionOf } from "../../support/tools.ts";

const WALL = Date.UTC(2026, 0, 31, 12);
const END = WALL + 900_000;
const fields = {
  clientId: "ci@1.iam.panserviceaccount.com",
  clientSecret: "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10",
  tokenUrl: "https://auth.test/am/oauth2/access_token",
};
const request = AuthRequest.parse(fields);
/** The same as another implementation has it. */
const byHand = { ...fields, scope: "tsg_id:1" };

const jwtUntil = (exp: unknown): string => compact({ alg: "RS256" }, { exp }, () => "signature");
const JWT = jwtUntil(END / 1000);
const payloadOf = (token: unknown, exp: unknown = END / 1000): string => JSON.stringify({ access_token: token, exp });
const tokenUntil = (end: number, lifetime = end - WALL, value = JWT) => ({
  value,
  expiresAt: new Date(end),
  lifetime,
});
const sealNow = (who: AuthRequest = request): Promise<string> => seal(who, tokenUntil(END), WALL);

/** Opens a text, and counts the keys that were derived for it. */
async function tryToOpen(sealed: string, who: AuthRequest = request, wall = WALL) {
  let derived = 0;
  const derive: typeof sealingKey = (...about) => {
    derived++;
    return sealingKey(...about);
  };
  const outcome: unknown = await openSealed(who, sealed, wall, derive).catch((error: unknown) => error);
  return { outcome, derived };
}

const DAMAGES = [
  "is not in the five parts that it must have",
  "has a part that is cut, or not in canonical base64url",
  "has a salt that is not 32 bytes",
  "has a header that can't be read",
  "has a header that is not as it must be",
  "does not hold what it must",
  "holds a token that tells no end",
];
/** What is told of each fault, behind the prefix. */
const TOLD: Readonly<Record<string, RegExp>> = {
  sealed_damaged: new RegExp(`^the sealed token (${DAMAGES.join("|")})\\.$`),
  sealed_too_long: /^the sealed token is longer than 16 KiB\.$/,
  sealed_version: /^the sealed token has version -?\d+ of the format, and only version 1 is known\.$/,
  sealed_foreign:
    /^the sealed token does not open: it was sealed with another client id, secret, scope or token URL, or was changed\.$/,
  sealed_stale: /^the token that is sealed ended .+ ago\.$/,
};

/** The code of the AuthError that a text is refused with, and how many keys were derived before. */
async function refusalOf(sealed: string, who: AuthRequest = request, wall = WALL): Promise<readonly [string, number]> {
  const { outcome, derived } = await tryToOpen(sealed, who, wall);
  assert.ok(AuthError.isAuthError(outcome), `${String(outcome)} of ${sealed.slice(0, 200)}`);
  assert.ok(outcome.kind === "verification" && outcome.hint !== "");
  assert.match(outcome.message.replace("Authentication error: ", ""), TOLD[outcome.code] ?? /^$/);
  // One line, with nothing in it of the secret or the token.
  assert.doesNotMatch(outcome.message, /[\r\n]/);
  const told = `${outcome.message} ${outcome.hint}`;
  assert.equal(new Redactor([fields.clientSecret, JWT]).redact(told), told);
  return [outcome.code, derived];
}

test("what is sealed is opened by who has the same secret, with its end", async () => {
  const opened = await openSealed(request, await sealNow(), WALL);
  assert.deepEqual(opened, { token: JWT, expiresAt: END } satisfies Opened);
});

test("the form of the scope and of the token URL do not matter", async () => {
  const apart = AuthRequest.parse({ ...fields, scope: "tsg_id:1 email  profile" });
  const same = AuthRequest.parse({
    ...fields,
    scope: "profile tsg_id:1 email tsg_id:1",
    tokenUrl: "https://AUTH.test:443/am/oauth2/access_token",
  });
  assert.equal((await openSealed(same, await sealNow(apart), WALL)).token, JWT);
});

const foreigners: Readonly<Record<string, Partial<AuthRequestInput>>> = {
  "another secret": { clientSecret: randomUUID() },
  "another client": { clientId: "cd@1.iam.panserviceaccount.com" },
  "another tenant": { tsgId: "2" },
  "one more word in the scope": { scope: "tsg_id:1 profile" },
  "another token URL": { tokenUrl: "https://auth.test/am/oauth2/other" },
};
for (const [name, change] of Object.entries(foreigners))
  test(`${name} does not open it, and is told that the key does not fit`, async () => {
    const foreigner = AuthRequest.parse({ ...fields, ...change });
    assert.deepEqual(await refusalOf(await sealNow(), foreigner), ["sealed_foreign", 1]);
  });

test("what the key is made of can't be shifted from one part to the next", async () => {
  const one = AuthRequest.parse({ ...fields, clientId: 'a","b', scope: "tsg_id:1 c" });
  const other = AuthRequest.parse({ ...fields, clientId: "a", scope: "tsg_id:1 b,c" });
  const salt = new Uint8Array(32);
  assert.notDeepEqual(await sealingKey(one, salt), await sealingKey(other, salt));
});

test("names longer than node's HKDF takes are no trouble", async () => {
  const long = AuthRequest.parse({ ...fields, scope: `tsg_id:1 ${"word".repeat(1000)}` });
  assert.equal((await openSealed(long, await sealNow(long), WALL)).token, JWT);
});

test("it ends at the earlier of its two ends: what the server said, or the token's own", async () => {
  const early = await seal(request, tokenUntil(END, 300_900), WALL);
  assert.equal((await openSealed(request, early, WALL)).expiresAt, WALL + 300_000);
  const late = sealByHand(byHand, payloadOf(JWT, END / 1000 + 500));
  assert.equal((await openSealed(request, late, WALL)).expiresAt, END);
});

test("it is stale from its end on, and not before", async () => {
  const sealed = await sealNow();
  assert.equal((await openSealed(request, sealed, END - 1)).expiresAt, END);
  assert.deepEqual(await refusalOf(sealed, request, END), ["sealed_stale", 1]);
  const { outcome } = await tryToOpen(sealed, request, END + 125_000);
  assert.equal((outcome as AuthError).message, "Authentication error: the token that is sealed ended 2 min 5 s ago.");
});

test("the token's own end makes it stale as well", async () => {
  const sealed = sealByHand(byHand, payloadOf(jwtUntil(WALL / 1000), END / 1000));
  assert.deepEqual(await refusalOf(sealed), ["sealed_stale", 1]);
});

const OPAQUE = "an opaque token (no JWT) can't be sealed.";
const UNKNOWN = "nobody knows how long the token lives, so it can't be sealed.";
type Unsealable = readonly [token: Parameters<typeof seal>[1], code: string, kind: string, said: string];
const unsealable: Readonly<Record<string, Unsealable>> = {
  "a token that has ended": [tokenUntil(WALL), "sealed_stale", "verification", "the token that is sealed ended 0 s ago."],
  "an opaque token": [tokenUntil(END, 900_000, "opaque"), "sealed_opaque", "verification", OPAQUE],
  "a token whose end nobody knows": [{ ...tokenUntil(END), expiresAt: undefined }, "unknown_life", "config", UNKNOWN],
  "a token whose life nobody knows": [{ ...tokenUntil(END), lifetime: undefined }, "unknown_life", "config", UNKNOWN],
  "a token that is too long": [tokenUntil(END, 900_000, `${JWT}${"A".repeat(12_300)}`), "sealed_too_long", "verification", "the sealed token is longer than 16 KiB."],
}; // prettier-ignore
for (const [name, [token, code, kind, said]] of Object.entries(unsealable))
  test(`${name} is not sealed`, async () => {
    await assert.rejects(seal(request, token, WALL), (error) => {
      assert.ok(AuthError.isAuthError(error), String(error));
      assert.deepEqual([error.code, error.kind, error.message], [code, kind, `Authentication error: ${said}`]);
      return true;
    });
  });

test("nothing is sealed under a secret that could be guessed", async () => {
  const weak = AuthRequest.parse({ ...fields, clientSecret: "correct horse battery staple" });
  await assert.rejects(sealNow(weak), (error) => {
    assert.ok(AuthError.isAuthError(error));
    assert.deepEqual([error.kind, error.problems.map(({ field }) => field)], ["config", ["clientSecret"]]);
    return !error.message.includes("horse");
  });
});

/** Lets the system's randomness give these bytes, from then on and for each draw by its length. */
function replaceRandomness(t: TestContext, give: (length: number) => Uint8Array) {
  const drawn: number[] = [];
  t.mock.method(crypto, "getRandomValues", (into: Uint8Array) => {
    drawn.push(into.length);
    into.set(give(into.length));
    return into;
  });
  return drawn;
}

test("salt and IV are drawn anew from the system's randomness at every seal", async (t) => {
  const given: Uint8Array[] = [];
  const drawn = replaceRandomness(t, (length) => {
    given.push(randomBytes(length));
    return given.at(-1) ?? new Uint8Array();
  });
  const texts = [await sealNow(), await sealNow(), await sealNow()];
  assert.deepEqual(drawn, [32, 12, 32, 12, 32, 12]);
  for (const [round, sealed] of texts.entries()) {
    const [header = "", , iv] = sealed.split(".");
    const { salt } = JSON.parse(Buffer.from(header, "base64url").toString()) as { salt: string };
    const [ourSalt, ourIv] = given.slice(round * 2).map((bytes) => Buffer.from(bytes).toString("base64url"));
    assert.deepEqual([salt, iv], [ourSalt, ourIv]);
  }
});

test("the text is a JWE whose header holds algorithms, version and salt alone", async () => {
  const [header = "", key, iv = "", , tag = ""] = (await sealNow()).split(".");
  const read = JSON.parse(Buffer.from(header, "base64url").toString()) as Record<string, unknown>;
  const { salt, ...rest } = read;
  assert.deepEqual(rest, { alg: "dir", enc: "A256GCM", v: 1 });
  const lengths = [salt as string, iv, tag].map((part) => Buffer.from(part, "base64url").length);
  assert.deepEqual([key, ...lengths], ["", 32, 12, 16]);
});

// Forged by somebody who has the secret: each would open if it were not refused for its form.
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const withSalt = (salt: unknown) => () => ({ ...headerByHand(new Uint8Array(32)), salt });
const textOf = (salt: Uint8Array): string => JSON.stringify(headerByHand(salt));
const headers: Readonly<Record<string, (salt: Uint8Array) => string | object>> = {
  "alg A256KW": (salt) => ({ ...headerByHand(salt), alg: "A256KW" }),
  "alg PBES2-HS256+A128KW with a billion rounds": (salt) => ({
    ...{ ...headerByHand(salt), alg: "PBES2-HS256+A128KW" },
    ...{ p2c: 1e9, p2s: base64url(salt) },
  }),
  "alg none": (salt) => ({ ...headerByHand(salt), alg: "none" }),
  "alg in capitals": (salt) => ({ ...headerByHand(salt), alg: "DIR" }),
  "no alg": (salt) => ({ ...headerByHand(salt), alg: undefined }),
  "enc A128CBC-HS256": (salt) => ({ ...headerByHand(salt), enc: "A128CBC-HS256" }),
  "enc A128GCM": (salt) => ({ ...headerByHand(salt), enc: "A128GCM" }),
  zip: (salt) => ({ ...headerByHand(salt), zip: "DEF" }),
  crit: (salt) => ({ ...headerByHand(salt), crit: ["v"] }),
  "crit that names nothing": (salt) => ({ ...headerByHand(salt), crit: [] }),
  "a key of its own": (salt) => ({ ...headerByHand(salt), jwk: { kty: "oct", k: "AAAA" } }),
  "a kid": (salt) => ({ ...headerByHand(salt), kid: "1" }),
  "a huge name": (salt) => ({ ...headerByHand(salt), x: "x".repeat(9000) }),
  "a name of JavaScript's own": (salt) => textOf(salt).replace("{", '{"__proto__":{"zip":"DEF"},'),
  "constructor as a name": (salt) => textOf(salt).replace("{", '{"constructor":1,'),
  "alg twice": (salt) => textOf(salt).replace("{", '{"alg":"none",'),
  "alg twice, the same": (salt) => textOf(salt).replace("{", '{"alg":"dir",'),
  "salt twice": (salt) => textOf(salt).replace("{", `{"salt":"${base64url(new Uint8Array(32))}",`),
  "v twice": (salt) => textOf(salt).replace("{", '{"v":2,'),
  "white space": (salt) => textOf(salt).replace("{", "{ "),
  "a line break at its end": (salt) => `${textOf(salt)}\n`,
  "a byte order mark": (salt) => `\uFEFF${textOf(salt)}`,
  "an escaped letter": (salt) => textOf(salt).replace("dir", String.raw`\u0064ir`),
  "v written otherwise": (salt) => textOf(salt).replace(":1,", ":1.0,"),
  "v as text": (salt) => ({ ...headerByHand(salt), v: "1" }),
  "v as a fraction": (salt) => ({ ...headerByHand(salt), v: 1.5 }),
  "no v": (salt) => ({ ...headerByHand(salt), v: undefined }),
  "no salt": withSalt(undefined),
  "a salt of 31 bytes": withSalt(base64url(new Uint8Array(31))),
  "a salt of 33 bytes": withSalt(base64url(new Uint8Array(33))),
  "an empty salt": withSalt(""),
  "a salt with padding": (salt) => ({ ...headerByHand(salt), salt: `${base64url(salt)}=` }),
  "a salt not in canonical form": withSalt(`${"A".repeat(42)}B`),
  "a salt that is a number": withSalt(32),
  "a salt that is a list": withSalt(["A".repeat(43)]),
  "a list": (salt) => [headerByHand(salt)],
  null: () => "null",
  text: () => '"dir"',
  nothing: () => "",
  "lists in lists in lists": () => "[".repeat(12_000),
  "half a JSON": (salt) => textOf(salt).slice(0, -1),
};
test("the forger's tools work: with an honest header it opens, in any order of its names", async () => {
  const reversed = (salt: Uint8Array) => Object.fromEntries(Object.entries(headerByHand(salt)).reverse());
  for (const header of [headerByHand, reversed])
    assert.equal((await openSealed(request, sealByHand(byHand, payloadOf(JWT), { header }), WALL)).token, JWT);
});
for (const [name, header] of Object.entries(headers))
  test(`a header with ${name} is refused before a key is derived`, async () => {
    assert.deepEqual(await refusalOf(sealByHand(byHand, payloadOf(JWT), { header })), ["sealed_damaged", 0]);
  });

for (const v of [0, 2, -1, 2 ** 40])
  test(`version ${v} of the format is told apart, whatever else the header has`, async () => {
    const header = (salt: Uint8Array) => ({ ...headerByHand(salt), alg: "A512KW", v, more: true });
    assert.deepEqual(await refusalOf(sealByHand(byHand, payloadOf(JWT), { header })), ["sealed_version", 0]);
  });

test("an empty ciphertext is refused before a key is derived", async () => {
  assert.deepEqual(await refusalOf(sealByHand(byHand, "")), ["sealed_damaged", 0]);
});

test("an IV of another length is refused before a key is derived", async () => {
  for (const length of [1, 11, 13, 16])
    assert.deepEqual(await refusalOf(sealByHand(byHand, payloadOf(JWT), { iv: new Uint8Array(length) })), [
      "sealed_damaged",
      0,
    ]);
});

const payloads: Readonly<Record<string, string | Uint8Array>> = {
  "white space alone": " ",
  "no JSON": "token",
  "no UTF-8": Uint8Array.of(0x22, 0xff, 0x22),
  null: "null",
  "no token": JSON.stringify({ exp: END / 1000 }),
  "no end": JSON.stringify({ access_token: JWT }),
  "an end that is text": payloadOf(JWT, String(END / 1000)),
  "an end in another epoch": payloadOf(JWT, END * 1000),
  "an end before time": payloadOf(JWT, -1),
  "a token that is a number": payloadOf(1),
  "a token that is not UTF-8": Buffer.concat([
    Buffer.from(`{"access_token":"${JWT}`),
    Buffer.of(0xff),
    Buffer.from(`","exp":${END / 1000}}`),
  ]),
  "an opaque token": payloadOf("opaque"),
  "a token without an end": payloadOf(compact({ alg: "RS256" }, {}, () => "signature")),
  "a token with an end that is none": payloadOf(jwtUntil("soon")),
  "a token that is no JSON": payloadOf("AAAA.AAAA.AAAA"),
};
for (const [name, payload] of Object.entries(payloads))
  test(`a payload with ${name} is refused, though the key fits`, async () => {
    assert.deepEqual(await refusalOf(sealByHand(byHand, payload)), ["sealed_damaged", 1]);
  });

test("a text of more than 16 KiB is refused before anything is parsed", async (t) => {
  const parse = t.mock.method(JSON, "parse");
  const decode = t.mock.method(Buffer, "from");
  const longest = `${await sealNow()}.${"A".repeat(20_000)}`.slice(0, 16_385);
  parse.mock.resetCalls();
  decode.mock.resetCalls();
  const failed = await openSealed(request, longest, WALL).catch((error: unknown) => error);
  const work = [parse.mock.callCount(), decode.mock.callCount()];
  t.mock.restoreAll();
  assert.deepEqual([(failed as AuthError).code, work], ["sealed_too_long", [0, 0]]);
  assert.deepEqual(await refusalOf(longest), ["sealed_too_long", 0]);
  assert.deepEqual(await refusalOf(longest.slice(1)), ["sealed_damaged", 0]);
  assert.deepEqual(await refusalOf("A".repeat(50_000_000)), ["sealed_too_long", 0]);
});

test("with any bit of it flipped it does not open", { timeout: 120_000 }, async () => {
  const sealed = await sealNow();
  const codes = new Set<string>();
  for (let at = 0; at < sealed.length; at++)
    for (let bit = 0; bit < 8; bit++) {
      const flipped = String.fromCharCode(sealed.charCodeAt(at) ^ (1 << bit));
      const [code] = await refusalOf(sealed.slice(0, at) + flipped + sealed.slice(at + 1));
      codes.add(code);
    }
  assert.deepEqual([...codes].sort(), ["sealed_damaged", "sealed_foreign", "sealed_version"]);
});

test("cut anywhere, or with a character more or less, it does not open", { timeout: 120_000 }, async () => {
  const sealed = await sealNow();
  for (let at = 0; at < sealed.length; at++) {
    await refusalOf(sealed.slice(0, at));
    await refusalOf(sealed.slice(at + 1));
    await refusalOf(sealed.slice(0, at) + sealed.slice(at + 1));
    await refusalOf(`${sealed.slice(0, at)}A${sealed.slice(at)}`);
    await refusalOf(`${sealed.slice(0, at)}.${sealed.slice(at)}`);
  }
  for (const around of [" ", "\n", ".", "=", "\0", "é"]) {
    assert.deepEqual(await refusalOf(sealed + around), ["sealed_damaged", 0]);
    assert.deepEqual(await refusalOf(around + sealed), ["sealed_damaged", 0]);
  }
});

test("parts of two sealed texts make no third one", async () => {
  const [one, other] = [(await sealNow()).split("."), (await sealNow()).split(".")];
  // The empty part is the same in both.
  const parts = [0, 2, 3, 4];
  for (let choice = 1; choice < 2 ** parts.length - 1; choice++) {
    const mixed = [...one];
    for (const [index, part] of parts.entries()) if ((choice >> index) & 1) mixed[part] = other[part] ?? "";
    assert.deepEqual(await refusalOf(mixed.join(".")), ["sealed_foreign", 1]);
  }
  assert.deepEqual(await refusalOf([...one, ...other].join(".")), ["sealed_damaged", 0]);
  assert.deepEqual(await refusalOf(one.with(1, other[2] ?? "").join(".")), ["sealed_damaged", 0]);
  assert.deepEqual(await refusalOf(JWT), ["sealed_damaged", 0]);
});

test("whatever is given, nothing but an AuthError comes of it", async () => {
  const segment = fc.oneof(
    fc.stringMatching(/^[\w-]{0,60}$/),
    fc.json().map((json) => Buffer.from(json).toString("base64url")),
    fc
      .record({ alg: fc.constantFrom("dir", "A256KW"), enc: fc.constant("A256GCM"), v: fc.nat(2), salt: fc.string() })
      .map((header) => Buffer.from(JSON.stringify(header)).toString("base64url")),
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(segment, { maxLength: 7 }).map((all) => all.join(".")),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      await refusalOf(text);
    }),
    { numRuns: 1000 },
  );
});

test("no masked form is in a sealed text, for thousands of secrets and tokens", { timeout: 120_000 }, async () => {
  for (let round = 0; round < 3000; round++) {
    const clientSecret = randomUUID();
    const exp = END / 1000;
    const claims = { aud: fields.clientId, exp, iat: exp - 900, scope: ["tsg_id:1"], jti: randomUUID() };
    const token = compact({ alg: "RS256", kid: randomUUID() }, claims, () => randomBytes(256).toString("base64url"));
    const who = AuthRequest.parse({ ...fields, clientSecret });
    const sealed = await seal(who, tokenUntil(END, 900_000, token), WALL);
    const masks = makeRunnerMasks();
    for (const form of [...secretForms(clientSecret), ...secretForms(token)]) masks.add(form);
    assert.equal(masks.apply(sealed), sealed);
  }
});

interface Vector {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  readonly tokenUrl: string;
  readonly salt: string;
  readonly iv: string;
  readonly accessToken: string;
  readonly exp: number;
  readonly info: string;
  readonly key: string;
  readonly sealed: string;
}

const page = await readFile(new URL("../../../docs/sealed-token.md", import.meta.url), "utf8");
const vectors = JSON.parse(/^```json\n([^]*?)^```$/m.exec(page)?.[1] ?? "[]") as readonly Vector[];
const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const requestOf = ({ clientId, clientSecret, scope, tokenUrl }: Vector): AuthRequest =>
  AuthRequest.parse({ clientId, clientSecret, scope, tokenUrl });

test("each vector of the page is sealed to the same text, and opened", async (t) => {
  assert.ok(vectors.length >= 2);
  for (const vector of vectors) {
    const end = vector.exp * 1000;
    replaceRandomness(t, (length) => fromHex(length === 32 ? vector.salt : vector.iv));
    const token = { value: vector.accessToken, expiresAt: new Date(end), lifetime: 900_000 };
    assert.equal(await seal(requestOf(vector), token, end - 900_000), vector.sealed);
    t.mock.restoreAll();
    const key = await sealingKey(requestOf(vector), fromHex(vector.salt));
    assert.equal(Buffer.from(key).toString("hex"), vector.key);
    const opened = await openSealed(requestOf(vector), vector.sealed, end - 1);
    assert.deepEqual(opened, { token: vector.accessToken, expiresAt: end });
  }
});

test("each vector is opened by a second implementation, on node:crypto alone", () => {
  for (const vector of vectors) {
    const payload = { access_token: vector.accessToken, exp: vector.exp };
    assert.deepEqual(openByHand(vector, vector.sealed), payload);
    assert.equal(infoByHand(vector).toString("hex"), vector.info);
    assert.equal(keyByHand(vector, fromHex(vector.salt)).toString("hex"), vector.key);
  }
});

test("vectors and a text sealed now are opened by Python's jwcrypto", async (t) => {
  if ((await missingTool(["jwcrypto"])) !== undefined) {
    t.skip("NOT RUN jwcrypto: not on PATH");
    return;
  }
  const fresh = { ...byHand, sealed: await sealNow() };
  const program = fileURLToPath(new URL("open_sealed.py", import.meta.url));
  const child = spawn("python", [program], { stdio: ["pipe", "pipe", "inherit"], timeout: 20_000 });
  const ended = once(child, "close") as Promise<[number | null]>;
  child.stdin.end(JSON.stringify([...vectors, fresh]));
  const [[code], written] = await Promise.all([ended, allOf(child.stdout)]);
  assert.equal(code, 0);
  const payloadsOf = [...vectors, { accessToken: JWT, exp: END / 1000 }];
  assert.deepEqual(
    JSON.parse(written),
    payloadsOf.map(({ accessToken, exp }) => ({ access_token: accessToken, exp })),
  );
  t.diagnostic(`RAN jwcrypto ${await versionOf("jwcrypto")}: opens ${payloadsOf.length} sealed tokens`);
});

import assert from "node:assert/strict";
import { chmod, chown, link, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test, type TestContext } from "node:test";

import {
  makeSureOfAuthFile,
  type AuthFileOrder,
  type AuthFilePorts,
  type MadeSure,
} from "../../../shared/handoff/auth-file.ts";
import {
  entryOf,
  formatAuthFile,
  parseAuthFile,
  PLACEHOLDER,
  type AuthFileEntry,
} from "../../../shared/handoff/auth-file-format.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { AccessToken } from "../../../shared/token/access-token.ts";
import { AuthRequest } from "../../../shared/token/auth-request.ts";
import { folderFor } from "../../support/bundled.ts";
import { run } from "../../support/searched-process.ts";

const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const request = AuthRequest.parse({
  clientId: "ci@1.iam.panserviceaccount.com",
  clientSecret: SECRET,
  tokenUrl: "https://auth.test/am/oauth2/access_token",
});
const ENDPOINT = { authUrl: "http://127.0.0.1:4711/am/oauth2/access_token", clientSecret: "j".repeat(43) };
const notOnWindows = process.platform === "win32" && "modes, links and owners mean nothing there";

const tokenOf = (value: string, left = 900_000, life = 900_000): AccessToken => {
  const expiresAt = new Date(Math.floor((Date.now() + left) / 1000) * 1000);
  return new AccessToken(value, { expiresAt, lifetime: left, life, scope: ["tsg_id:1"], tenants: ["1"] });
};
const textOf = (token: AccessToken, change: Partial<AuthFileEntry> = {}, endpoint?: typeof ENDPOINT): string =>
  formatAuthFile({ ...entryOf(request, token, Date.now(), endpoint), ...change });

/** A place for a file, and a world around it in which the tokens of `known` prove themselves. */
async function world(t: TestContext) {
  const folder = await folderFor(t, tmpdir());
  const path = join(folder, "auth.json");
  const known = new Map<string, AccessToken>();
  const calls: string[] = [];
  const ports: AuthFilePorts = {
    mint: () => {
      calls.push("mint");
      const token = tokenOf(`minted-${calls.length}`);
      known.set(token.value, token);
      return Promise.resolve(token);
    },
    prove: (raw) => {
      calls.push("prove");
      const token = known.get(raw);
      const refused = new AuthError("it proves nothing.", { kind: "verification", code: "bad_signature" });
      return token ? Promise.resolve(token) : Promise.reject(refused);
    },
  };
  const ensure = (more: Partial<AuthFileOrder> = {}, morePorts: Partial<AuthFilePorts> = {}): Promise<MadeSure> =>
    makeSureOfAuthFile(
      { request, path, verify: true, signal: new AbortController().signal, timeout: 20, ...more },
      { ...ports, ...morePorts },
    );
  /** Lays a file with a token that proves itself. */
  const lay = async (token: AccessToken, text = textOf(token)): Promise<void> => {
    known.set(token.value, token);
    await writeFile(path, text, { mode: 0o600 });
  };
  return { folder, path, known, calls, ensure, lay, read: () => readFile(path, "utf8") };
}

async function refusalOf(work: Promise<unknown>): Promise<AuthError> {
  const outcome = await work.then(
    () => "it was done",
    (error: unknown) => error,
  );
  assert.ok(AuthError.isAuthError(outcome), String(outcome));
  return outcome;
}

test("where there is no file one is made: 0600, with a token and a placeholder, nothing beside it", async (t) => {
  const { folder, path, calls, ensure, read } = await world(t);
  const made = await ensure();
  assert.deepEqual([made.minted, made.path, made.endpoint, made.warnings], [true, path, undefined, []]);
  assert.deepEqual(calls, ["mint"]);
  const entry = parseAuthFile(await read());
  assert.deepEqual(
    [entry?.jwt, entry?.clientSecret, entry?.authUrl],
    [made.token.value, PLACEHOLDER, request.tokenUrl.href],
  );
  assert.ok(!(await read()).includes(SECRET));
  if (!notOnWindows) assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(folder), ["auth.json"]);
});

test("a second call takes the token that it finds, and leaves the file untouched", async (t) => {
  const { path, calls, ensure } = await world(t);
  const first = await ensure();
  const before = await stat(path);
  const second = await ensure();
  assert.deepEqual([second.minted, second.token.value], [false, first.token.value]);
  assert.deepEqual(calls, ["mint", "prove"]);
  const after = await stat(path);
  assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs]);
});

/** Files with a token that proves itself, and why it is not used all the same; what is kept of it. */
const distrusted: readonly (readonly [
  what: string,
  lay: (context: Awaited<ReturnType<typeof world>>) => Promise<unknown>,
  order?: Partial<AuthFileOrder>,
])[] = [
  ["that ends within five minutes", ({ lay }) => lay(tokenOf("old", 299_000))],
  ["of short life that has less than a third left", ({ lay }) => lay(tokenOf("old", 6000, 20_000))],
  ["with less life left than wanted", ({ lay }) => lay(tokenOf("old", 800_000)), { minTtl: 801 }],
  ["when nothing can be proved", ({ lay }) => lay(tokenOf("old")), { verify: false }],
  ["that does not prove itself", ({ path }) => writeFile(path, textOf(tokenOf("forged")), { mode: 0o600 })],
  ["in a file that others can read", ({ lay, path }) => lay(tokenOf("old")).then(() => chmod(path, 0o640))],
  ["in a file that others can write", ({ lay, path }) => lay(tokenOf("old")).then(() => chmod(path, 0o602))],
];
for (const [what, lay, order] of distrusted) {
  const skip = what.includes("others") && notOnWindows;
  test(`a token ${what} is not used again`, { skip }, async (t) => {
    const context = await world(t);
    await lay(context);
    const made = await context.ensure(order);
    assert.equal(made.minted, true);
    assert.equal(parseAuthFile(await context.read())?.jwt, made.token.value);
    if (!notOnWindows) assert.equal((await stat(context.path)).mode & 0o777, 0o600);
  });
}

/** Tokens that are used again though little is left. */
const used: readonly (readonly [what: string, token: AccessToken, minTtl: number | undefined])[] = [
  ["with five minutes left", tokenOf("old", 301_000), undefined],
  ["of short life with a third left", tokenOf("old", 7000, 20_000), undefined],
  ["with the life that is wanted", tokenOf("old", 30_000), 20],
  ["with any life at all", tokenOf("old", 5000), 0],
];
for (const [what, token, minTtl] of used) {
  test(`a token ${what} is used again`, async (t) => {
    const { lay, ensure } = await world(t);
    await lay(token);
    assert.equal((await ensure({ minTtl })).minted, false);
  });
}

/** What somebody may have planted in a file whose token is good. */
const planted: Readonly<Record<string, object>> = {
  "another host": { host: "evil.test" },
  headers: { headers: { "x-evil": "1" } },
  "a switch for TLS": { skip_verify_certificate: true },
  logging: { logging: "quiet,receive" },
  "another auth_url": { auth_url: "https://evil.test/am/oauth2/access_token" },
  "plain http": { protocol: "http" },
  "a later end": { jwt_expires_at: "2099-01-01T00:00:00Z" },
  "a field of its own": { surprise: 1 },
};
for (const [what, fields] of Object.entries(planted)) {
  test(`${what} in a file does not live on, and its token is used`, async (t) => {
    const { lay, ensure, read } = await world(t);
    const token = tokenOf("old");
    await lay(token, JSON.stringify({ ...(JSON.parse(textOf(token)) as object), ...fields }));
    const made = await ensure();
    assert.equal(made.minted, false);
    assert.equal(await read(), textOf(token));
  });
}

/** What lies at the path and is never overwritten. */
const foreign: readonly (readonly [what: string, text: string])[] = [
  ["a user's own auth file", textOf(tokenOf("theirs"), { clientSecret: SECRET })],
  ["an auth file without a token", JSON.stringify({ client_id: "a", client_secret: "b", scope: "c" })],
  ["any other text", "terraform {}\n"],
  ["white space", "\n"],
];
for (const [what, text] of foreign) {
  test(`${what} at the path is not overwritten`, async (t) => {
    const { folder, path, calls, ensure, read } = await world(t);
    await writeFile(path, text, { mode: 0o600 });
    const error = await refusalOf(ensure());
    assert.deepEqual([error.kind, error.code, calls], ["config", "auth_file_foreign", []]);
    assert.ok(error.message.includes(path));
    assert.match(error.hint, /another path/);
    assert.deepEqual([await read(), await readdir(folder)], [text, ["auth.json"]]);
  });
}

test("an empty file is replaced", async (t) => {
  const { path, ensure } = await world(t);
  await writeFile(path, "");
  assert.equal((await ensure()).minted, true);
});

const another = { clientId: "other@1.iam.panserviceaccount.com" };
/** Files of another identity, and whether its endpoint answers. */
const identities: readonly (readonly [what: string, text: string, answers: boolean, outcome: string])[] = [
  ["whose token lives", textOf(tokenOf("theirs"), another), false, "auth_file_in_use"],
  ["with other scopes whose token lives", textOf(tokenOf("theirs"), { scope: "tsg_id:2" }), false, "auth_file_in_use"],
  ["whose token has ended", textOf(tokenOf("theirs"), { ...another, jwtExpiresAt: 1 }), false, "minted"],
  [
    "whose token has ended and whose endpoint lives",
    textOf(tokenOf("theirs"), { ...another, jwtExpiresAt: 1 }, ENDPOINT),
    true,
    "auth_file_in_use",
  ],
  [
    "whose token has ended and whose endpoint is dead",
    textOf(tokenOf("theirs"), { ...another, jwtExpiresAt: 1 }, ENDPOINT),
    false,
    "minted",
  ],
];
for (const [what, text, answers, outcome] of identities) {
  test(`a file of another identity ${what}: ${outcome}`, async (t) => {
    const { path, ensure, read } = await world(t);
    await writeFile(path, text, { mode: 0o600 });
    const askEndpoint = () => Promise.resolve(answers ? { token: "x", job: "x" } : undefined);
    const came = await ensure({}, { askEndpoint }).then(
      ({ minted }) => (minted ? "minted" : "found"),
      (error: unknown) => (AuthError.isAuthError(error) ? error.code : String(error)),
    );
    assert.equal(came, outcome);
    assert.equal((await read()) === text, outcome !== "minted");
  });
}

const answering = (token: string, job = "this job") => ({ askEndpoint: () => Promise.resolve({ token, job }) });
const dead = { askEndpoint: () => Promise.resolve(undefined) };
const serving = (calls: string[]): Pick<AuthFilePorts, "serve"> => ({
  serve: ({ value }) => {
    calls.push(`serve ${value}`);
    return Promise.resolve({ ...ENDPOINT, clientSecret: "n".repeat(43) });
  },
});

test("an endpoint is started with the token in hand and before the file is there", async (t) => {
  const { path, calls, ensure, read } = await world(t);
  const serve = async (token: AccessToken) => {
    calls.push(`serve ${token.value}`);
    await assert.rejects(stat(path));
    return ENDPOINT;
  };
  const made = await ensure({ job: "this job" }, { serve });
  assert.deepEqual(calls, ["mint", "serve minted-1"]);
  assert.deepEqual([made.endpoint, made.foundEndpoint], [ENDPOINT, false]);
  const { authUrl, clientSecret } = parseAuthFile(await read()) ?? {};
  assert.deepEqual({ authUrl, clientSecret }, ENDPOINT);
});

for (const wantsOne of [true, false]) {
  test(`a living endpoint of this job stays where one is ${wantsOne ? "" : "not "}wanted`, async (t) => {
    const { calls, lay, ensure, read } = await world(t);
    const token = tokenOf("old");
    await lay(token, textOf(token, {}, ENDPOINT));
    const made = await ensure({ job: "this job" }, { ...answering("old"), ...(wantsOne && serving(calls)) });
    assert.deepEqual([made.minted, made.foundEndpoint, made.endpoint], [false, true, ENDPOINT]);
    assert.deepEqual(calls, ["prove"]);
    assert.equal(await read(), textOf(token, {}, ENDPOINT));
  });
}

test("what a living endpoint serves beats what stands in the file", async (t) => {
  const { known, lay, ensure, read } = await world(t);
  await lay(tokenOf("old"), textOf(tokenOf("old"), {}, ENDPOINT));
  known.set("newer", tokenOf("newer"));
  const made = await ensure({ job: "this job" }, answering("newer"));
  assert.deepEqual([made.token.value, made.minted, made.endpoint], ["newer", false, ENDPOINT]);
  assert.equal(parseAuthFile(await read())?.jwt, "newer");
});

test("a living endpoint of another job is an error that names the path", async (t) => {
  const { path, calls, lay, ensure } = await world(t);
  await lay(tokenOf("old"), textOf(tokenOf("old"), {}, ENDPOINT));
  for (const verify of [true, false]) {
    const error = await refusalOf(ensure({ job: "this job", verify }, answering("old", "another job")));
    assert.deepEqual([error.kind, error.code, calls], ["config", "auth_file_in_use", []]);
    assert.ok(error.message.includes(path));
  }
});

test("an endpoint that is dead is replaced: by a new one, or by the token URL", async (t) => {
  const { calls, lay, ensure, read } = await world(t);
  const token = tokenOf("old");
  await lay(token, textOf(token, {}, ENDPOINT));
  const made = await ensure({ job: "this job" }, { ...dead, ...serving(calls) });
  assert.deepEqual([made.minted, made.foundEndpoint], [false, false]);
  assert.deepEqual(calls, ["prove", "prove", "serve old"].slice(calls.length === 2 ? 1 : 0));
  await lay(token, textOf(token, {}, ENDPOINT));
  await ensure({ job: "this job" }, dead);
  assert.equal(await read(), textOf(token));
});

test("an endpoint whose token does not prove itself is none", async (t) => {
  const { calls, lay, ensure } = await world(t);
  await lay(tokenOf("old"), textOf(tokenOf("old"), {}, ENDPOINT));
  const made = await ensure({ job: "this job" }, { ...answering("forged"), ...serving(calls) });
  assert.deepEqual([made.foundEndpoint, made.token.value, calls.at(-1)], [false, "old", "serve old"]);
});

test("an endpoint in a file that others can read is not asked", { skip: notOnWindows }, async (t) => {
  const { path, lay, ensure } = await world(t);
  await lay(tokenOf("old"), textOf(tokenOf("old"), {}, ENDPOINT));
  await chmod(path, 0o644);
  const askEndpoint = () => Promise.reject(new Error("it was asked"));
  assert.equal((await ensure({}, { askEndpoint })).minted, true);
});

test("a file that its keeper renews meanwhile is looked at anew, and the newer token stays", async (t) => {
  const { known, path, lay, ensure, read } = await world(t);
  const [old, newer] = [tokenOf("old"), tokenOf("newer")];
  known.set("newer", newer);
  await lay(old, textOf(old, {}, ENDPOINT).replace("{", '{"logging": "all",'));
  let current = old;
  let looks = 0;
  const made = await ensure(
    {},
    {
      askEndpoint: () => Promise.resolve({ token: current.value, job: "" }),
      prove: async (raw) => {
        // After the file was read, before it is written.
        if (looks++ === 0) {
          current = newer;
          await writeFile(path, textOf(newer, {}, ENDPOINT), { mode: 0o600 });
        }
        return known.get(raw) ?? old;
      },
    },
  );
  assert.deepEqual([made.token.value, made.endpoint], ["newer", ENDPOINT]);
  assert.equal(await read(), textOf(newer, {}, ENDPOINT));
});

test("a file that changes between the last look and the rename is looked at anew", async (t) => {
  const { known, path, ensure, read } = await world(t);
  const newer = tokenOf("newer");
  known.set("newer", newer);
  const mint = async () => {
    await writeFile(path, textOf(newer), { mode: 0o600 });
    return tokenOf("mine");
  };
  const made = await ensure({}, { mint });
  assert.deepEqual([made.token.value, made.minted], ["newer", false]);
  assert.equal(await read(), textOf(newer));
});

test("keys that can't be had while a found token is proved cost a new token", async (t) => {
  const { lay, ensure } = await world(t);
  await lay(tokenOf("old"));
  const prove = () => Promise.reject(new AuthError("no keys.", { kind: "network", code: "connection_refused" }));
  assert.equal((await ensure({}, { prove })).minted, true);
});

test("a failed sign-in is the caller's to hear, and leaves nothing behind", async (t) => {
  const { folder, ensure } = await world(t);
  const mint = () => Promise.reject(new AuthError("no.", { kind: "rejected", code: "invalid_client", status: 401 }));
  assert.equal((await refusalOf(ensure({}, { mint }))).code, "invalid_client");
  assert.deepEqual(await readdir(folder), []);
});

test("who leaves while a token is proved gets no file", async (t) => {
  const { folder, ensure } = await world(t);
  const leave = new AbortController();
  leave.abort();
  assert.equal((await refusalOf(ensure({ signal: leave.signal }))).code, "aborted");
  assert.deepEqual(await readdir(folder), []);
});

test("twenty calls at once share one sign-in", async (t) => {
  const { calls, ensure } = await world(t);
  const made = await Promise.all(Array.from({ length: 20 }, () => ensure()));
  assert.equal(calls.filter((call) => call === "mint").length, 1);
  assert.equal(new Set(made.map(({ token }) => token.value)).size, 1);
});

test("a relative path is seen from the working folder", async (t) => {
  const { path, ensure } = await world(t);
  assert.equal((await ensure({ path: relative(process.cwd(), path) })).path, path);
});

for (const [what, path] of [
  ["is blank", " "],
  ["holds a NUL character", "a\0b"],
  ["names a folder", "folder/"],
  ["names a folder", ".."],
] as const) {
  test(`a path that ${what} (${JSON.stringify(path)}) is refused before anything is asked for`, async (t) => {
    const { calls, ensure } = await world(t);
    const error = await refusalOf(ensure({ path }));
    assert.deepEqual([error.kind, error.problems[0]?.reason, calls], ["config", what, []]);
  });
}

/** Surroundings in which a file is not written, each with the code of the refusal. */
const surroundings: readonly (readonly [
  what: string,
  lay: (path: string, folder: string) => Promise<unknown>,
  code: string,
])[] = [
  ["a folder", (path) => mkdir(path), "auth_file_path"],
  ["a symbolic link", (path, folder) => symlink(join(folder, "real"), path), "auth_file_unsafe"],
  [
    "a file with a second name",
    (path, folder) => writeFile(path, "").then(() => link(path, join(folder, "second"))),
    "auth_file_unsafe",
  ],
  ["a named pipe", (path) => run("mkfifo", [path]), "auth_file_unsafe"],
  ["a file in a folder that all can write", (_path, folder) => chmod(folder, 0o777), "auth_folder_unsafe"],
];
for (const [what, lay, code] of surroundings) {
  test(`${what} at the path is refused before a token is asked for`, { skip: notOnWindows }, async (t) => {
    const { folder, path, calls, ensure } = await world(t);
    await lay(path, folder);
    const before = await readdir(folder);
    const error = await refusalOf(ensure());
    assert.deepEqual([error.kind, error.code, calls], ["config", code, []]);
    assert.deepEqual(await readdir(folder), before);
  });
}

test("a folder that goes while a token is asked for is told of", async (t) => {
  const { folder, ensure } = await world(t);
  const mint = async () => {
    await rm(folder, { recursive: true });
    return tokenOf("late");
  };
  assert.equal((await refusalOf(ensure({}, { mint }))).code, "auth_file_path");
});

const notRoot = process.getuid?.() !== 0 && "only root can give files away";
test("a file of another user at the path is refused", { skip: notOnWindows || notRoot }, async (t) => {
  const { path, lay, ensure } = await world(t);
  await lay(tokenOf("old"));
  await chown(path, 65_534, 65_534);
  assert.equal((await refusalOf(ensure())).code, "auth_file_unsafe");
});

test("who only renews makes no file anew: not one that was gone, nor one that goes while a token is asked for", async (t) => {
  const { path, calls, ensure, lay } = await world(t);
  assert.equal((await refusalOf(ensure({ renewOnly: true }))).message.includes("was removed"), true);
  assert.deepEqual(calls, []);

  await lay(tokenOf("ends soon", 5000));
  const token = tokenOf("renewed");
  const goes = { mint: () => rm(path).then(() => token) };
  await refusalOf(ensure({ renewOnly: true }, goes));
  assert.deepEqual(await readdir(join(path, "..")), []);

  await lay(tokenOf("ends soon, too", 5000));
  assert.equal((await ensure({ renewOnly: true })).minted, true);
});

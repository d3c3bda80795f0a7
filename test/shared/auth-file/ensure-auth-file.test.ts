import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, win32 } from "node:path";
import { after, test, type TestContext } from "node:test";
import {
  ensureAuthFile,
  ensureTokenFile,
  removeAuthFile,
  resolveAuthFilePath,
  type AuthFileOptions,
} from "../../../shared/auth-file/ensure-auth-file.ts";
import { parseAuthFile, PLACEHOLDER_SECRET, toTokenServerUrl } from "../../../shared/auth-file/format.ts";
import { readAuthFile } from "../../../shared/auth-file/read-auth-file.ts";
import { getLockPath } from "../../../shared/auth-file/safe-files.ts";
import { TokenServer } from "../../../shared/auth-file/token-server.ts";
import { AuthRequest } from "../../../shared/auth-request.ts";
import { systemClock } from "../../../shared/clock.ts";
import { AuthError } from "../../../shared/errors.ts";
import { createSignInContext, requestToken } from "../../../shared/sign-in.ts";
import { TokenSource } from "../../../shared/token-source.ts";
import { createFastClock } from "../../support/fast-clock.ts";
import { startScmServer } from "../../support/scm-server.ts";
import { startScriptedServer } from "../../support/scripted-server.ts";
import { createTempDir } from "../../support/temp-dir.ts";
import { createSigner } from "../../support/tokens.ts";
import { listen } from "../http/attempts.ts";

const skip = process.platform === "win32" && "needs POSIX permissions";
const asRoot = skip || (process.getuid?.() !== 0 && "needs root");

// With a `before` hook instead, the file would not end if --test-name-pattern matches none of its tests.
const server = await startScmServer();
after(server.close);

const getRequest = (changes: object = {}): AuthRequest => {
  const { clientId, clientSecret, tsgId, tokenUrl, ca } = server;
  return AuthRequest.parse({ clientId, clientSecret, tsgId, tokenUrl, ca, ...changes });
};
const request = getRequest();

interface FileFixture {
  readonly directory: string;
  readonly path: string;
  readonly ensure: (options?: Partial<AuthFileOptions>) => ReturnType<typeof ensureAuthFile>;
  readonly read: () => Promise<Readonly<Record<string, unknown>>>;
  /** Overwrites the given fields of the file. */
  readonly change: (changes: object) => Promise<void>;
  readonly countRequests: () => number;
}

async function setUp(t: TestContext): Promise<FileFixture> {
  const directory = await createTempDir(t);
  const path = join(directory, "auth.json");
  const start = server.countTokenRequests();
  const read = async () => JSON.parse(await readFile(path, "utf8")) as Readonly<Record<string, unknown>>;
  return {
    directory,
    path,
    read,
    ensure: (options) => ensureAuthFile(request, { path, maxRetries: 0, ...options }),
    change: async (changes) => {
      await writeFile(path, JSON.stringify({ ...(await read()), ...changes }), { mode: 0o600 });
    },
    countRequests: () => server.countTokenRequests() - start,
  };
}

test("writes a file with a token and a placeholder, and reuses it in the next call", async (t) => {
  const { directory, path, ensure, read, countRequests } = await setUp(t);
  const result = await ensure();
  assert.equal(result.path, path);
  assert.equal(result.reused, false);
  assert.equal(result.scope, "tsg_id:1234567890");
  assert.deepEqual(result.warnings, []);
  assert.ok(Math.abs(result.expiresAt.getTime() - Date.now() - 900_000) < 60_000);
  const file = await read();
  assert.deepEqual([file["jwt"], file["client_secret"]], [server.issued.at(-1), PLACEHOLDER_SECRET]);
  const { ino } = await lstat(path);
  assert.equal((await ensure()).reused, true);
  assert.equal((await lstat(path)).ino, ino, "the file is not written again");
  assert.equal(countRequests(), 1);
  assert.deepEqual(await readdir(directory), ["auth.json"]);
  if (!skip) assert.equal((await lstat(path)).mode & 0o777, 0o600);
});

for (const [name, changes, minTtl, reused] of [
  ["that is valid for at least minTtl", {}, 800, true],
  ["that expires before minTtl", {}, 1000, false],
  ["signed with an unknown key", { jwt: "other signer" }, undefined, false],
  ["that is not a JWT", { jwt: "opaque" }, undefined, false],
  ["that contains line breaks", { jwt: "{\na\n" }, undefined, false],
] as const)
  test(`${reused ? "reuses" : "does not reuse"} a token ${name}`, async (t) => {
    const { ensure, read, change, countRequests } = await setUp(t);
    await ensure();
    if ("jwt" in changes) {
      const [, payload = ""] = String((await read())["jwt"]).split(".");
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
      const jwt = changes.jwt === "other signer" ? (await createSigner()).sign({ ...claims }) : changes.jwt;
      await change({ jwt });
    }
    assert.equal((await ensure({ minTtl })).reused, reused);
    assert.equal(countRequests(), reused ? 1 : 2);
    assert.equal((await read())["jwt"], server.issued.at(-1));
  });

test("does not mask a token that is not a well-formed JWT", async (t) => {
  const { path, ensure, read, change } = await setUp(t);
  await ensure();
  const jwt = String((await read())["jwt"]);
  for (const [planted, code] of [
    ["a\nb\nc", "opaque_token"],
    [jwt.replaceAll(".", "\n."), "malformed_token"],
    [`${jwt}\nx`, "malformed_token"],
  ] as const) {
    await change({ jwt: planted });
    const masked: string[] = [];
    const context = createSignInContext(request, { onToken: (token) => masked.push(token) });
    const existing = await readAuthFile(context, path, { deadline: systemClock.monotonic() + 10_000 });
    assert.deepEqual([masked, existing.token, existing.reason?.code], [[], undefined, code]);
  }
});

test("requests a new token with verify: false instead of using an unverified token from the file", async (t) => {
  const { ensure, countRequests } = await setUp(t);
  await ensure();
  assert.equal((await ensure({ verify: false })).reused, false);
  assert.equal(countRequests(), 2);
});

for (const [name, changes] of Object.entries({
  "another host": { host: "evil.example.com" },
  headers: { headers: { "X-Evil": "1" } },
  "another date": { jwt_expires_at: "2099-01-01T00:00:00Z" },
  "another auth_url": { auth_url: "https://evil.example.com/" },
}))
  test(`reuses the token but writes the file again when it contains ${name}`, async (t) => {
    const { ensure, read, change, countRequests } = await setUp(t);
    await ensure();
    const before = await read();
    await change(changes);
    assert.equal((await ensure()).reused, true);
    const isClose = Math.abs(Number((await read())["jwt_lifetime"]) - Number(before["jwt_lifetime"])) <= 1;
    assert.deepEqual({ ...(await read()), jwt_lifetime: before["jwt_lifetime"] }, before);
    assert.ok(isClose);
    assert.equal(countRequests(), 1);
  });

test("requests a new token and restores mode 0600 if other users could read the file", { skip }, async (t) => {
  const { path, ensure } = await setUp(t);
  await ensure();
  await chmod(path, 0o644);
  assert.equal((await ensure()).reused, false);
  assert.equal((await lstat(path)).mode & 0o777, 0o600);
});

for (const [name, text, code] of [
  [
    "that contains a real client secret",
    JSON.stringify({ client_id: "x", client_secret: "real" }),
    "auth_file_not_managed",
  ],
  ["that is not JSON", "notes", "auth_file_not_managed"],
] as const)
  test(`neither overwrites nor removes a file ${name}`, async (t) => {
    const { path, ensure, countRequests } = await setUp(t);
    await writeFile(path, text, { mode: 0o600 });
    await assert.rejects(ensure(), { kind: "file", code });
    assert.equal(await removeAuthFile(path), false);
    assert.equal(await readFile(path, "utf8"), text);
    assert.equal(countRequests(), 0);
  });

test("does not write through a symbolic link", { skip }, async (t) => {
  const { directory, path, ensure, countRequests } = await setUp(t);
  await symlink(join(directory, "target"), path);
  await assert.rejects(ensure(), { kind: "file", code: "auth_file_insecure" });
  assert.equal(countRequests(), 0);
});

test("replaces an empty file", async (t) => {
  const { path, ensure } = await setUp(t);
  await writeFile(path, "", { mode: 0o600 });
  assert.equal((await ensure()).reused, false);
});

test("replaces a file that belongs to another identity only if its token has expired", async (t) => {
  const { ensure, read, change } = await setUp(t);
  await ensure();
  await change({ client_id: "other" });
  await assert.rejects(ensure(), { kind: "file", code: "auth_file_in_use" });
  await change({ client_id: "other", jwt_expires_at: "2020-01-01T00:00:00Z" });
  await ensure();
  assert.equal((await read())["client_id"], server.clientId);
});

/** Starts a token server like that of a refresher in another process, and writes its address to the file. */
async function startTokenServer(t: TestContext, { path, ensure, change }: FileFixture, served?: string) {
  await ensure();
  const context = createSignInContext(request);
  const token = await requestToken(context, { deadline: systemClock.monotonic() + 10_000 });
  const current = served === undefined ? token : Object.defineProperty(token, "value", { value: served });
  const tokenServer = await TokenServer.listen({
    ...{ clientId: request.clientId, clientSecret: request.clientSecret, scope: request.scope, jobId: "job-1" },
    ...{ jobSecret: "j".repeat(43), onShutdown: () => Promise.resolve({}), clock: systemClock },
    refresher: { current, rejection: undefined, requestRenewal: () => undefined },
  });
  t.after(() => tokenServer.close());
  const { authUrl, clientSecret } = tokenServer.address;
  await change({ auth_url: authUrl, client_secret: clientSecret });
  const limits = { deadline: systemClock.monotonic() + 10_000 };
  return {
    tokenServer,
    read: (jobId: string, verify = true) => readAuthFile({ ...context, verify }, path, limits, { jobId }),
  };
}

test("prefers the token from a running token server and keeps the server's address in the file", async (t) => {
  const fixture = await setUp(t);
  const { tokenServer } = await startTokenServer(t, fixture);
  assert.equal((await fixture.ensure()).reused, true);
  const content = parseAuthFile(await readFile(fixture.path, "utf8"));
  const { authUrl, clientSecret } = tokenServer.address;
  assert.deepEqual(
    [content?.jwt, content?.authUrl, content?.clientSecret],
    [server.issued.at(-1), authUrl, clientSecret],
  );
});

test("does not use a token server that belongs to another job", async (t) => {
  const { read } = await startTokenServer(t, await setUp(t));
  assert.ok((await read("job-1")).server);
  await assert.rejects(read("job-2"), { kind: "file", code: "auth_file_in_use" });
});

test("does not trust another program that listens on a token server's port", async (t) => {
  const fixture = await setUp(t);
  const { read } = await startTokenServer(t, fixture, "x");
  for (const jobId of ["job-1", "job-2"]) assert.equal((await read(jobId)).server, undefined);
  await fixture.ensure();
  assert.equal((await fixture.read())["client_secret"], PLACEHOLDER_SECRET);
});

test("leaves time for a sign-in if a program that never responds listens on a token server's port", async (t) => {
  const { ensure, read, change } = await setUp(t);
  await ensure();
  await change({ auth_url: toTokenServerUrl(await listen(t, createServer())), client_secret: "j".repeat(43) });
  await ensure({ timeout: 2.5 });
  assert.equal((await read())["auth_url"], server.tokenUrl);
});

test("removes the address of a token server that is no longer running", async (t) => {
  const { ensure, read, change } = await setUp(t);
  await ensure();
  await change({ auth_url: toTokenServerUrl(1), client_secret: "j".repeat(43) });
  assert.equal((await ensure()).reused, true);
  assert.equal((await read())["auth_url"], server.tokenUrl);
});

test("returns a warning about a file that Git does not ignore", async (t) => {
  const { directory, ensure } = await setUp(t);
  execFileSync("git", ["init", "--quiet", directory]);
  assert.match((await ensure()).warnings.join(), /git does not ignore/);
});

test("requests only one token for twenty concurrent calls", async (t) => {
  const { ensure, countRequests } = await setUp(t);
  const results = await Promise.all(Array.from({ length: 20 }, () => ensure({ maxRetries: 3 })));
  assert.equal(results.filter(({ reused }) => !reused).length, 1);
  assert.equal(countRequests(), 1);
});

test("requests a token without the lock if another process left its lock behind", async (t) => {
  const { path } = await setUp(t);
  await mkdir(getLockPath(path));
  const result = await ensureAuthFile(request, { path, clock: createFastClock(20) } as AuthFileOptions);
  assert.equal(result.reused, false);
});

test("reports a failed sign-in and leaves no files behind", async (t) => {
  const { directory, path } = await setUp(t);
  const wrong = getRequest({ clientSecret: "0e8ff0fc-1f37-4d6e-8f0c-0aa1f0c2a6a1" });
  await assert.rejects(ensureAuthFile(wrong, { path }), { code: "invalid_client" });
  assert.deepEqual(await readdir(directory), []);
});

test("stops when the signal is aborted or the operation times out", async (t) => {
  const silent = await startScriptedServer({ token: { hang: true }, jwks: { hang: true } });
  t.after(silent.close);
  const { path } = await setUp(t);
  const slow = AuthRequest.parse({
    clientId: server.clientId,
    clientSecret: server.clientSecret,
    tokenUrl: silent.tokenUrl,
  });
  await assert.rejects(ensureAuthFile(slow, { path, signal: AbortSignal.timeout(100) }), { kind: "aborted" });
  await assert.rejects(ensureAuthFile(slow, { path, timeout: 0.2, maxRetries: 0 }), { kind: "timeout" });
});

test("rejects a directory that the current user cannot access", { skip: asRoot }, async (t) => {
  const { directory, ensure, countRequests } = await setUp(t);
  await chown(directory, 12_345, 12_345);
  process.seteuid?.(12_346);
  try {
    await assert.rejects(ensure(), { kind: "file", code: "auth_file_dir_insecure" });
  } finally {
    process.seteuid?.(0);
  }
  assert.equal(countRequests(), 0);
});

async function setUpSource(t: TestContext) {
  const fixture = await setUp(t);
  const { clock, random } = systemClockOptions;
  const context = createSignInContext(request, { policy: { maxRetries: 0 } });
  const limits = { deadline: clock.monotonic() + 10_000 };
  const tokens = new TokenSource((signal) => requestToken(context, { ...limits, signal }), { clock, random });
  const ensure = (options = {}) => ensureTokenFile(context, tokens, { path: fixture.path, limits, ...options });
  return { ...fixture, tokens, ensure };
}
const systemClockOptions = { clock: systemClock, random: Math.random };

test(
  "requests no token if no file can be created in the directory",
  { skip: process.platform !== "linux" && "needs /proc" },
  async (t) => {
    const { ensure, countRequests } = await setUp(t);
    await assert.rejects(ensure({ path: "/proc/self/auth.json" }), { code: "auth_file_permission_denied" });
    assert.equal(countRequests(), 0);
  },
);

test("makes a reused token the source's current token, and rewrites a removed file from it", async (t) => {
  const { path, tokens, ensure, countRequests } = await setUpSource(t);
  await ensureAuthFile(request, { path });
  const { token } = await ensure();
  assert.equal(tokens.current, token);
  await rm(path);
  assert.equal((await ensure()).token, token);
  assert.equal(countRequests(), 1);
});

test("does not recreate a removed file if only updates to an existing file are allowed", async (t) => {
  const { directory, path, ensure } = await setUpSource(t);
  await assert.rejects(ensure({ onlyIfExists: true }), { kind: "file", code: "auth_file_invalid_path" });
  await ensure();
  const failure = { kind: "file", code: "auth_file_invalid_path" };
  const update = assert.rejects(ensure({ onlyIfExists: true, minTtl: 86_400 }), failure);
  server.delayTokenResponses(300);
  t.after(() => {
    server.delayTokenResponses(0);
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await rm(path);
  await update;
  assert.deepEqual(await readdir(directory), []);
});

test("removes a file only if it belongs to the given identity", async (t) => {
  const { path, ensure } = await setUp(t);
  await ensure();
  assert.equal(await removeAuthFile(path, { clientId: "other", scope: request.scope }), false);
  assert.equal(await removeAuthFile(path, request), true);
  assert.equal(await removeAuthFile(path), false);
});

test("reports all invalid options at once, before sending any request", async () => {
  const options = { path: "", minTtl: -1, verify: "yes", timeOut: 1 } as unknown as AuthFileOptions;
  await assert.rejects(ensureAuthFile(request, options), (error) => {
    assert.ok(AuthError.isAuthError(error));
    assert.deepEqual(error.issues.map(({ field }) => field).sort(), ["minTtl", "path", "timeOut", "verify"]);
    return true;
  });
});

test("resolves a relative path", () => {
  for (const path of [".scm/auth.json", "a$", "a~b", "~a", "100%.json", "%TEMP%"])
    assert.equal(resolveAuthFilePath(path, "path", "linux"), join(process.cwd(), path));
  for (const path of [".scm\\auth.json", "a%2Fb%2Fc", "\\\\host\\c$\\auth.json"])
    assert.equal(resolveAuthFilePath(path, "path", "win32"), win32.resolve(path));
});

test(
  "rejects a relative path if the working directory was removed",
  { skip: process.platform === "win32" },
  async (t) => {
    const directory = await createTempDir(t);
    const previous = process.cwd();
    process.chdir(directory);
    try {
      await rm(directory, { recursive: true });
      assert.throws(
        () => resolveAuthFilePath("a.json"),
        /is relative, but the working directory was removed: "a\.json"/,
      );
    } finally {
      process.chdir(previous);
    }
  },
);

for (const [path, hint, platform = "linux"] of [
  [" ", /Set it to a file path/],
  [undefined as unknown as string, /Set it to a file path/],
  ["~/x.json", /runner\.temp/],
  ["~user/x.json", /runner\.temp/],
  ["$RUNNER_TEMP/x.json", /runner\.temp/],
  ["${HOME}/x.json", /runner\.temp/],
  ["$(pwd)/x.json", /runner\.temp/],
  ["~\\x.json", /runner\.temp/, "win32"],
  ["$env:RUNNER_TEMP\\x.json", /runner\.temp/, "win32"],
  ["%RUNNER_TEMP%\\x.json", /runner\.temp/, "win32"],
  [".scm\\x.json", /Separate directories with \//],
  [".scm/", /Add a file name/],
  ["..", /Add a file name/],
  [".scm\\", /Add a file name/, "win32"],
  ["C:", /Add a file name/, "win32"],
  ["'x.json'", /Remove the quotes/],
  ["file:///x.json", /fileURLToPath/],
  ["a\nb", /line breaks/],
  ["a\0b", /control characters/],
  ["a\ud800", /control characters/],
] as const)
  test(`rejects the path ${JSON.stringify(path)} on ${platform} and suggests a correction`, () => {
    assert.throws(
      () => resolveAuthFilePath(path, "authFile", platform),
      (error) => {
        assert.ok(AuthError.isAuthError(error));
        assert.deepEqual([error.kind, error.issues.map(({ field }) => field)], ["config", ["authFile"]]);
        assert.match(error.hint, hint);
        return true;
      },
    );
  });

import assert from "node:assert/strict";
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { formatAuthFile, parseAuthFile, PLACEHOLDER } from "../../../shared/handoff/auth-file-format.ts";
import { ensureAuthFile, removeAuthFile } from "../../../shared/handoff/ensure-auth-file.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { bundle, folderFor } from "../../support/bundled.ts";
import { makeFastClock } from "../../support/fast-clock.ts";
import { startScmServer, type ScmServer } from "../../support/scm-server.ts";
import { startScriptedServer } from "../../support/scripted-server.ts";
import { startWriter, type Writer } from "./writers.ts";

const server = await startScmServer();
after(server.close);
const requestTo = ({ clientId, clientSecret, tokenUrl, ca }: ScmServer) => ({ clientId, clientSecret, tokenUrl, ca });
const request = requestTo(server);
const tokenRequests = ({ requests }: ScmServer): number => requests.filter(({ method }) => method === "POST").length;

const programs = await folderFor({ after }, tmpdir());
const program = await bundle("test/shared/handoff/writer.ts", programs);

const place = async (t: TestContext) => {
  const folder = await folderFor(t, tmpdir());
  return { folder, path: join(folder, "auth.json") };
};

const mintedBy = (writers: readonly Writer[]): number =>
  writers.filter(({ said }) => said.some((line) => (line as { minted?: boolean }).minted === true)).length;

test("a file is made with a token of the server, and found by the next call, without a second request", async (t) => {
  const { path } = await place(t);
  const before = tokenRequests(server);
  const first = await ensureAuthFile(request, { path });
  const second = await ensureAuthFile(request, { path });
  assert.deepEqual([first.minted, second.minted, tokenRequests(server) - before], [true, false, 1]);
  assert.deepEqual([first.path, first.scope.includes("tsg_id:1234567890")], [path, true]);
  assert.equal(second.expiresAt.getTime(), first.expiresAt.getTime());
  const entry = parseAuthFile(await readFile(path, "utf8"));
  assert.ok(server.issued.includes(entry?.jwt ?? ""));
  assert.equal(entry?.clientSecret, PLACEHOLDER);
  assert.equal(entry.jwtExpiresAt, first.expiresAt.getTime() - 60_000);
});

test("fifty writers in fifty processes make one token request, and all succeed", { timeout: 120_000 }, async (t) => {
  const { folder, path } = await place(t);
  const before = tokenRequests(server);
  const writers = Array.from({ length: 50 }, () => startWriter(program, { path, request, waits: true }));
  await Promise.all(writers.map(({ says }) => says(1)));
  for (const { go } of writers) go();
  await Promise.all(writers.map(({ ended }) => ended));
  assert.deepEqual(
    writers.flatMap(({ said }) => said.slice(1)).filter((line) => !("minted" in (line as object))),
    [],
  );
  assert.deepEqual([tokenRequests(server) - before, mintedBy(writers)], [1, 1]);
  assert.deepEqual(await readdir(folder), ["auth.json"]);
});

test("a holder that is killed holds the others up for ten seconds at most", { timeout: 60_000 }, async (t) => {
  const { folder, path } = await place(t);
  const slow = await startScmServer({ clientSecret: "s".repeat(30) });
  t.after(slow.close);
  // A server that takes the request and never answers.
  const silent = await startScriptedServer({ token: { hang: true }, keys: { hang: true } });
  t.after(silent.close);
  const { clientId, clientSecret } = request;
  const holder = startWriter(program, {
    path,
    request: { clientId, clientSecret, tokenUrl: silent.tokenUrl, jwksUrl: silent.jwksUrl },
  });
  t.after(() => holder.child.kill("SIGKILL"));
  while (silent.requestsTo("token").length === 0) await delay(20);
  const writers = Array.from({ length: 5 }, () =>
    startWriter(program, { path, request: requestTo(slow), waits: true }),
  );
  await Promise.all(writers.map(({ says }) => says(1)));
  holder.child.kill("SIGKILL");
  await holder.ended;
  const killed = performance.now();
  for (const { go } of writers) go();
  await Promise.all(writers.map(({ ended }) => ended));
  const took = performance.now() - killed;
  assert.deepEqual([tokenRequests(slow), mintedBy(writers)], [1, 1]);
  assert.ok(took < 14_000, `${took} ms`);
  assert.deepEqual(await readdir(folder), ["auth.json"]);
});

test("whoever looks while writers come and go finds a whole file, 0600, with a token that lives", async (t) => {
  const { path } = await place(t);
  // Renewed every two seconds; the rest is for writers that a busy machine lets wait.
  const short = await startScmServer({ ttl: 10 });
  t.after(short.close);
  await ensureAuthFile(requestTo(short), { path });
  const writers = Array.from({ length: 4 }, () =>
    startWriter(program, { path, request: requestTo(short), rounds: 30, pause: 50, minTtl: 8 }),
  );
  const state = { isOver: false };
  const over = Promise.all(writers.map(({ ended }) => ended)).then(() => (state.isOver = true));
  let looks = 0;
  const seen = new Set<string>();
  while (!state.isOver) {
    const entry = parseAuthFile(await readFile(path, "utf8"));
    assert.ok(entry !== undefined && entry.jwtExpiresAt > Date.now(), `look ${looks}`);
    if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
    seen.add(entry.jwt);
    looks++;
    await delay(2);
  }
  await over;
  assert.ok(looks > 100 && seen.size > 2, `${looks} looks, ${seen.size} tokens`);
});

const notRoot = process.getuid?.() !== 0 && "only root can become another user";

test("a folder that this user may not write is told of, after no more than a request", { skip: notRoot }, async (t) => {
  const { folder } = await place(t);
  await chmod(folder, 0o755);
  await chmod(programs, 0o755);
  const writer = startWriter(program, { path: join(folder, "auth.json"), request, uid: 65_534 });
  await writer.ended;
  const said = writer.said[0] as { code: string; message: string };
  assert.equal(said.code, "auth_file_denied");
  assert.ok(said.message.includes(folder));
  assert.deepEqual(await readdir(folder), []);
});

test("another ordinary user's folder is refused", { skip: notRoot }, async (t) => {
  const { folder } = await place(t);
  await mkdir(join(folder, "theirs"));
  await chmod(folder, 0o755);
  await chmod(programs, 0o755);
  await chown(join(folder, "theirs"), 1234, 1234);
  await chmod(join(folder, "theirs"), 0o755);
  const before = tokenRequests(server);
  const writer = startWriter(program, { path: join(folder, "theirs", "auth.json"), request, uid: 65_534 });
  await writer.ended;
  assert.equal((writer.said[0] as { code: string }).code, "auth_folder_unsafe");
  assert.equal(tokenRequests(server), before);
});

test("where the lock can't be made a sign-in is spent, and the file is written", { skip: notRoot }, async (t) => {
  const { folder, path } = await place(t);
  // A lock of root's in a sticky folder: an ordinary user can neither take nor break it.
  await chmod(folder, 0o1777);
  await chmod(programs, 0o755);
  await writeFile(join(folder, ".auth.json.lock"), "");
  const writer = startWriter(program, { path, request, uid: 65_534 });
  await writer.ended;
  assert.deepEqual(writer.said, [{ minted: true, warnings: [] }]);
});

test("a wrong wall clock still writes an end that lies ahead", async (t) => {
  const { path } = await place(t);
  // Five minutes ahead: SCM's tokens live for fifteen.
  const clock = makeFastClock(1, 300_000);
  await ensureAuthFile(request, { path, clock });
  const entry = parseAuthFile(await readFile(path, "utf8"));
  const ahead = (entry?.jwtExpiresAt ?? 0) - clock.wall();
  assert.ok(ahead > 500_000 && ahead < 600_000, `${ahead} ms`);
});

test("an auth file of ours is removed, and only for the identity named", async (t) => {
  const { folder, path } = await place(t);
  await ensureAuthFile(request, { path });
  assert.equal(await removeAuthFile(path, { clientId: "other", scope: "tsg_id:1234567890" }), false);
  assert.equal(await removeAuthFile(path, { clientId: request.clientId, scope: "tsg_id:1" }), false);
  assert.equal(await removeAuthFile(path, { clientId: request.clientId, scope: "tsg_id:1234567890" }), true);
  assert.equal(await removeAuthFile(path), false);
  assert.deepEqual(await readdir(folder), []);
});

test("a user's own auth file is not removed", async (t) => {
  const { path } = await place(t);
  await ensureAuthFile(request, { path });
  const entry = parseAuthFile(await readFile(path, "utf8"));
  assert.ok(entry);
  await writeFile(path, formatAuthFile({ ...entry, clientSecret: "a real one" }));
  assert.equal(await removeAuthFile(path), false);
  assert.ok((await stat(path)).size > 0);
});

test("every option is checked at once", async () => {
  const wrong = { path: 1, minTtl: -1, timeout: 0, maxRetries: 0.5, verify: "no", onEvent: 1, signal: 1, other: 1 };
  await assert.rejects(ensureAuthFile(request, wrong as never), (error) => {
    assert.ok(AuthError.isAuthError(error));
    assert.deepEqual(error.problems.map(({ field }) => field).sort(), Object.keys(wrong).sort());
    return error.kind === "config";
  });
});

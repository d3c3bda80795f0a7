import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readAuthFileJson } from "../support/auth-file-harness.ts";
import { runAction, type ActionOptions, type ActionRun } from "../support/run-action.ts";
import { createJob } from "../support/runner-job.ts";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";

/** Tests that one sign-in serves several jobs. */

const server = await startScmServer({ tsgIds: ["1234567890", "2345678901"] });
after(server.close);

type Inputs = Readonly<Record<string, string>>;

const signIn = (more: Inputs = {}, options: Partial<ActionOptions> = {}, to: ScmServer = server): Promise<ActionRun> =>
  runAction({
    inputs: {
      "client-id": to.clientId,
      "client-secret": to.clientSecret,
      "tsg-id": to.tsgId,
      "token-url": to.tokenUrl,
      "ca-cert": to.ca,
      ...more,
    },
    secrets: () => [server.clientSecret, ...server.issued, ...to.issued],
    ...options,
  });

/** Returns the job output of a job that seals its token. */
async function getSealedToken(): Promise<string> {
  const run = await signIn({ seal: "true" });
  assert.equal(run.exitCode, 0, run.log);
  return run.jobOutputs["sealed-token"] ?? "";
}

test("signs in several jobs with one token request", async () => {
  const before = server.countTokenRequests();
  const first = await signIn({ seal: "true" });
  const sealed = first.jobOutputs["sealed-token"] ?? "";
  assert.match(sealed, /^[\w-]+(\.[\w-]+){4}$/);
  const runs = await Promise.all(Array.from({ length: 5 }, () => signIn({ "sealed-token": sealed, seal: "true" })));
  for (const run of runs) {
    assert.equal(run.exitCode, 0, run.log);
    assert.equal(run.token, first.token);
    assert.ok(run.masks.includes(first.token ?? ""));
    assert.equal(run.outputs["expires-at"], first.outputs["expires-at"]);
    // An unsealed token is not sealed again.
    assert.equal(run.outputs["sealed-token"], "");
    assert.match(run.log, /^Signed in .* with the sealed token, valid for .* \(signature verified\)\.$/m);
  }
  assert.equal(server.countTokenRequests() - before, 1);
});

test("seals no token unless requested", async () => {
  assert.equal((await signIn()).outputs["sealed-token"], "");
});

const UNUSABLE: readonly (readonly [what: string, change: (sealed: string) => string, more?: Inputs])[] = [
  ["that was changed", (sealed) => sealed.replace(/..$/, (end) => (end === "AA" ? "BB" : "AA"))],
  ["that was truncated", (sealed) => sealed.slice(0, -20)],
  ["that is not a JWE", () => "planted-text\n::add-mask::evil"],
  ["that is too long", (sealed) => sealed + "A".repeat(20_000)],
  ["with too many PBES2 iterations", (sealed) => changeHeader(sealed, { p2c: 2_000_000_000 })],
  ["for another tenant", (sealed) => sealed, { "tsg-id": "2345678901" }],
];
function changeHeader(sealed: string, changes: object): string {
  const [header = "", ...rest] = sealed.split(".");
  const members = { ...(JSON.parse(Buffer.from(header, "base64url").toString()) as object), ...changes };
  return [Buffer.from(JSON.stringify(members)).toString("base64url"), ...rest].join(".");
}

for (const [what, change, more] of UNUSABLE) {
  test(`ignores a sealed token ${what} with one warning, and signs in`, async () => {
    const sealed = await getSealedToken();
    const before = server.countTokenRequests();
    const run = await signIn({ "sealed-token": change(sealed), ...more });
    assert.equal(run.exitCode, 0, run.log);
    assert.deepEqual(
      run.annotations.map(({ level, message }) => [level, message.startsWith("Ignoring the sealed token (")]),
      [["warning", true]],
    );
    assert.doesNotMatch(run.log, /planted-text/);
    assert.match(run.log, /with a new token/);
    assert.equal(server.countTokenRequests() - before, 1);
  });
}

test("ignores a sealed token that was issued to another account", async () => {
  const sealed = await getSealedToken();
  const other = await startScmServer();
  try {
    const run = await signIn({ "sealed-token": sealed }, {}, other);
    assert.equal(run.exitCode, 0, run.log);
    assert.match(run.log, /Ignoring the sealed token/);
  } finally {
    await other.close();
  }
});

test("ignores a sealed token that has expired", async () => {
  const short = await startScmServer({ ttl: 3 });
  try {
    const sealing = await signIn({ seal: "true" }, {}, short);
    await delay(3500);
    const run = await signIn({ "sealed-token": sealing.outputs["sealed-token"] ?? "" }, {}, short);
    assert.equal(run.exitCode, 0, run.log);
    assert.match(run.log, /Ignoring the sealed token \(.*expired.*\); signing in\./);
    assert.deepEqual(run.annotations, []);
  } finally {
    await short.close();
  }
});

test("warns that the sealed token is empty because the runner dropped the output", async () => {
  const run = await signIn({ "sealed-token": "" });
  assert.equal(run.exitCode, 0, run.log);
  assert.deepEqual(
    run.annotations.map(({ level, message }) => [level, message.startsWith("sealed-token is empty")]),
    [["warning", true]],
  );
});

test("fails when the keys for verifying a sealed token cannot be requested", async () => {
  const more = { "jwks-url": "https://127.0.0.1:1/keys", "max-retries": "0", timeout: "5" };
  const run = await signIn({ "sealed-token": await getSealedToken(), ...more });
  assert.equal(run.exitCode, 1);
  assert.match(run.log, /JWKS request/);
});

test("writes an auth file with the sealed token", async () => {
  const job = await createJob();
  try {
    const inputs = { "sealed-token": await getSealedToken(), "auth-file": "true" };
    const before = server.countTokenRequests();
    const run = await signIn(inputs, { job });
    assert.equal(run.exitCode, 0, run.log);
    assert.equal((await readAuthFileJson(run.outputs["auth-file"])).jwt, run.token);
    assert.match(run.log, /the sealed token/);
    assert.equal(server.countTokenRequests(), before);
    assert.match((await signIn(inputs, { job, post: { state: run.state } })).log, /removed/i);
  } finally {
    await job.remove();
  }
});

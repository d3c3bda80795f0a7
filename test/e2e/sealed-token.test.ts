import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { onlyIfLong } from "../support/long-tests.ts";
import { makeJobFolder } from "../support/runner-environment.ts";
import { runAction, type ActionOptions, type ActionRun } from "../support/runner.ts";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";

/** One sign-in for many jobs, by the real action. */

let server: ScmServer;

type Inputs = Readonly<Record<string, string>>;

const signIn = (more: Inputs = {}, options: Partial<ActionOptions> = {}): Promise<ActionRun> =>
  runAction({
    inputs: {
      "client-id": server.clientId,
      "client-secret": server.clientSecret,
      "tsg-id": server.tsgId,
      "token-url": server.tokenUrl,
      "ca-cert": server.ca,
      ...more,
    },
    canaries: () => [server.clientSecret, ...server.issued],
    ...options,
  });
const tokenRequests = (): number => server.requests.filter(({ method }) => method === "POST").length;

/** What the sealing job's output is for the jobs that need it. */
async function sealedToken(): Promise<string> {
  const run = await signIn({ seal: "true" });
  assert.equal(run.exitCode, 0, run.log);
  return run.jobOutputs["sealed-token"] ?? "";
}

describe("A sealed token", () => {
  before(async () => {
    server = await startScmServer({ tenants: ["1234567890", "2345678901"] });
  });
  after(() => server.close());

  test("passes through job outputs, and signs other jobs in without a token request", async () => {
    const first = await signIn({ seal: "true" });
    const sealed = first.jobOutputs["sealed-token"];
    assert.match(sealed ?? "", /^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
    const before = tokenRequests();
    const second = await signIn({ "sealed-token": sealed ?? "" });
    assert.equal(second.exitCode, 0, second.log);
    assert.equal(second.token, first.token);
    // What was sealed ends when the server said, counted from the request; that is never after the token's own end.
    const [own = 0, told = 0] = [first, second].map(({ outputs }) => Date.parse(outputs["expires-at"] ?? ""));
    assert.ok(told <= own && own - told < 30_000, `${own} ${told}`);
    assert.equal(second.outputs["sealed-token"], "");
    assert.match(second.log, /Signed in: tenant \d+, the sealed token of another job, good for .*, proved\.$/m);
    assert.ok(second.masks.includes(first.token ?? ""), "the token is masked there too");
    assert.equal(tokenRequests(), before);
  });

  test("is given to nobody who did not ask for it", async () => {
    assert.equal((await signIn()).outputs["sealed-token"], "");
  });

  test("serves thirteen jobs at once from one token request", async () => {
    const before = tokenRequests();
    const sealed = await sealedToken();
    const runs = await Promise.all(Array.from({ length: 13 }, () => signIn({ "sealed-token": sealed })));
    for (const run of runs) assert.equal(run.exitCode, 0, run.log);
    assert.equal(new Set(runs.map(({ token }) => token)).size, 1);
    assert.equal(tokenRequests() - before, 1);
  });

  test("serves two hundred jobs from one token request", onlyIfLong, async () => {
    const before = tokenRequests();
    const sealed = await sealedToken();
    let left = 200;
    const job = async (): Promise<void> => {
      while (left-- > 0) {
        const run = await signIn({ "sealed-token": sealed });
        assert.equal(run.exitCode, 0, run.log);
        assert.match(run.log, /the sealed token of another job/);
      }
    };
    await Promise.all(Array.from({ length: 6 }, job));
    assert.equal(tokenRequests() - before, 1);
  });

  const useless: readonly (readonly [
    what: string,
    change: (sealed: string) => string,
    more: () => Inputs,
    why: RegExp,
  ])[] = [
    ["that was changed", (sealed) => sealed.replace(/..$/, (end) => (end === "AA" ? "BB" : "AA")), () => ({}), /does not open/],
    ["that was cut", (sealed) => sealed.slice(0, -20), () => ({}), /sealed token/],
    ["that is none", () => "not a sealed token", () => ({}), /sealed token/],
    ["that is far too long", (sealed) => sealed + "A".repeat(20_000), () => ({}), /sealed token/],
    ["of another tenant", (sealed) => sealed, () => ({ "tsg-id": "2345678901" }), /does not open/],
    ["that lives too short", (sealed) => sealed, () => ({ "min-ttl": "86400" }), /less than is wanted/],
  ]; // prettier-ignore
  for (const [what, change, more, why] of useless) {
    test(`${what} is told of in one line that says why, and the job signs in by itself`, async () => {
      const sealed = await sealedToken();
      const before = tokenRequests();
      const run = await signIn({ "sealed-token": change(sealed), ...more() });
      assert.equal(run.exitCode, 0, run.log);
      const lines = run.log.split("\n").filter((line) => line.startsWith("The sealed token is not used: "));
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", why);
      assert.match(run.log, /a new token good for/);
      assert.equal(tokenRequests() - before, 1);
    });
  }

  test("sealed under another secret is not used, and what it held is told to nobody", async () => {
    const sealed = await sealedToken();
    const other = await startScmServer();
    try {
      const run = await signIn(
        {
          "sealed-token": sealed,
          "client-secret": other.clientSecret,
          "token-url": other.tokenUrl,
          "ca-cert": other.ca,
        },
        { canaries: () => [other.clientSecret, ...other.issued, ...server.issued] },
      );
      assert.equal(run.exitCode, 0, run.log);
      assert.match(run.log, /The sealed token is not used/);
    } finally {
      await other.close();
    }
  });

  test("whose output the runner dropped is missed by a notice, and the job signs in by itself", async () => {
    const run = await signIn({ "sealed-token": "" });
    assert.equal(run.exitCode, 0, run.log);
    assert.deepEqual(
      run.annotations.map(({ level, message }) => [level, message.startsWith("sealed-token is empty")]),
      [["notice", true]],
    );
  });

  test("whose key set can't be reached is not used, and the failure of the sign-in tells why", async () => {
    const sealed = await sealedToken();
    const run = await signIn({
      "sealed-token": sealed,
      "jwks-url": "https://127.0.0.1:1/keys",
      "max-retries": "0",
      timeout: "5",
    });
    assert.equal(run.exitCode, 1);
    assert.match(run.log, /The sealed token is not used/);
    assert.match(run.log, /signing keys/);
  });

  test("can't be made under a weak secret: the step fails before any request, with the reason", async () => {
    const before = server.requests.length;
    const run = await signIn({ seal: "true", "client-secret": "only-a-password" });
    assert.equal(run.exitCode, 1);
    assert.match(run.log, /client-secret is too weak to seal under/);
    assert.equal(server.requests.length, before);
    assert.deepEqual(run.outputs, {});
  });

  for (const [name, value] of [
    ["seal", "true"],
    ["sealed-token", "a.b.c.d.e"],
  ] as const) {
    test(`has no place where tokens are not proved: ${name} with verify: false`, async () => {
      const before = server.requests.length;
      const run = await signIn({ [name]: value, verify: "false" });
      assert.equal(run.exitCode, 1);
      assert.match(run.log, new RegExp(`${name} needs a token that is proved, and verify is false`));
      assert.equal(server.requests.length, before);
    });
  }

  test("is not sealed again, and a new one is where it was of no use", async () => {
    const sealed = await sealedToken();
    const opened = await signIn({ "sealed-token": sealed, seal: "true" });
    assert.equal(opened.outputs["sealed-token"], "");
    assert.match(opened.log, /Nothing is sealed/);
    const minted = await signIn({ "sealed-token": "", seal: "true" });
    assert.notEqual(minted.outputs["sealed-token"], "");
  });

  test("goes into an auth file, which is kept fresh from there on", async () => {
    const sealed = await sealedToken();
    const job = await makeJobFolder();
    try {
      const before = tokenRequests();
      const inputs = { "sealed-token": sealed, "auth-file": "true" };
      const run = await signIn(inputs, { job });
      assert.equal(run.exitCode, 0, run.log);
      const { jwt } = JSON.parse(await readFile(run.outputs["auth-file"] ?? "", "utf8")) as { readonly jwt: string };
      assert.equal(jwt, run.token);
      assert.match(run.log, /the sealed token of another job/);
      assert.equal(tokenRequests(), before);
      const end = await signIn(inputs, { job, post: { state: run.state } });
      assert.match(end.log, /The auth file is removed/);
    } finally {
      await job.remove();
    }
  });

  test("of a token that ended is told to be stale", async () => {
    const short = await startScmServer({ ttl: 6 });
    try {
      const inputs = { "client-secret": short.clientSecret, "token-url": short.tokenUrl, "ca-cert": short.ca };
      const canaries = (): readonly string[] => [short.clientSecret, ...short.issued];
      const sealing = await signIn({ ...inputs, seal: "true" }, { canaries });
      await new Promise((resolve) => setTimeout(resolve, 6500));
      const run = await signIn({ ...inputs, "sealed-token": sealing.outputs["sealed-token"] ?? "" }, { canaries });
      assert.equal(run.exitCode, 0, run.log);
      assert.match(run.log, /The sealed token is not used: the token that is sealed ended .* ago\. Signing in\./);
    } finally {
      await short.close();
    }
  });

  test("holds nothing that is masked, whatever the secret", async () => {
    for (let times = 0; times < 5; times++) {
      const other = await startScmServer({ clientSecret: randomUUID() });
      try {
        const run = await signIn(
          { "client-secret": other.clientSecret, "token-url": other.tokenUrl, "ca-cert": other.ca, seal: "true" },
          { canaries: () => [other.clientSecret, ...other.issued] },
        );
        assert.equal(run.jobOutputs["sealed-token"], run.outputs["sealed-token"]);
      } finally {
        await other.close();
      }
    }
  });
});

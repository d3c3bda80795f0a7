import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { assertNoCanary } from "../support/canaries.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { Stage } from "./stage.ts";
import { onlyIfLong } from "../support/long-tests.ts";

const WRONG = "b0b9a7de-0000-4444-8888-wrong-secret";

/** What a user sees, as lines. */
const linesOf = (diagnostics: string): readonly string[] => diagnostics.split("\n").filter((line) => line !== "");

describe("What goes wrong ends a program red, in two lines and without a secret", { concurrency: 2 }, () => {
  const stage = new Stage();

  test("a wrong secret is sent once for each phase, and told once", async () => {
    const program = `
      const auth = new scmAuth.AuthFile("auth", { path: "auth.json" });
      new scmAuth.AuthFile("same", { path: "auth.json" });
      new scmAuth.AuthFile("other", { path: "other.json", timeout: 60 });
      exports.token = scmAuth.getAccessTokenOutput({ authFile: auth.path }).accessToken;
      exports.length = auth.path.apply((path) => path.length);`;
    const scene = await stage.scene("wrong", program, { env: { SCM_CLIENT_SECRET: WRONG } });
    const { ok, diagnostics, previewed } = await scene.stack.up();
    assert.equal(ok, false);
    const [cause = "", advice = "", ...more] = linesOf(diagnostics);
    assert.match(cause, /^error: Authentication error: .*invalid_client/);
    assert.match(advice, /^The client id or the secret is wrong\./);
    assert.deepEqual(more, []);
    assert.deepEqual(previewed, [], "nothing was registered");
    assert.equal(scene.requests(), 1);
    assertNoCanary([WRONG], { diagnostics, gRPC: scene.stack.traffic.without(/^$/) });
  });

  test("bad arguments are told all at once, by the names that the author wrote and without a value", async () => {
    const program = `new scmAuth.AuthFile("auth", { path: "", tsgId: "my-tenant", maxRetries: 99, client_secret: "${WRONG}",
      minTtl: "5m", tokenUrl: "ftp://somewhere" });`;
    const { stack, requests } = await stage.scene("bad", program, { env: { SCM_CLIENT_ID: undefined } });
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, false);
    const [cause = "", ...advice] = linesOf(diagnostics);
    for (const name of ["path", "tsgId", "maxRetries", "client_secret", "minTtl", "tokenUrl"])
      assert.match(cause, new RegExp(`\\b${name} is `), name);
    assert.match(cause, /clientId \(or SCM_CLIENT_ID\) is missing/);
    assert.equal(advice.length, 1);
    assert.doesNotMatch(diagnostics, /my-tenant|ftp:|5m|serializing|\bat .*:\d+:\d+/);
    assertNoCanary([WRONG], { diagnostics });
    assert.equal(requests(), 0);
  });

  test("a server that never answers ends the program within the deadline", async () => {
    const silent = await startScriptedServer({ token: { hang: true }, keys: { hang: true } });
    const program = 'new scmAuth.AuthFile("auth", { path: "auth.json", timeout: 2, maxRetries: 0 });';
    const { stack } = await stage.scene("hanging", program, { env: { SCM_TOKEN_URL: silent.tokenUrl } });
    const begun = performance.now();
    const { ok, diagnostics } = await stack.preview();
    await silent.close();
    assert.equal(ok, false);
    assert.match(diagnostics, /^error: Network error: /);
    assert.ok(performance.now() - begun < 30_000);
  });

  test("a file that is somebody else's stays, and the program ends", onlyIfLong, async () => {
    const { stack, folder } = await stage.scene("foreign", 'new scmAuth.AuthFile("auth", { path: "auth.json" });');
    await writeFile(join(folder, "auth.json"), '{"client_secret":"their own"}');
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, false);
    assert.match(diagnostics, /auth\.json is there already and not by scm-auth/);
  });

  test("the process tells what only it finds out once, too", async () => {
    // The program has a secret that no other process sees. Its file is good enough for them, but no more.
    const program = `
      process.env.SCM_CLIENT_SECRET = process.env.HIDDEN;
      new scmAuth.AuthFile("auth", { path: "auth.json" });
      new scmAuth.AccessToken("token");`;
    const options = { env: { SCM_CLIENT_SECRET: undefined } };
    const { stack, server, requests } = await stage.scene("hidden", program, options);
    const { ok, diagnostics } = await stack.preview({ env: { HIDDEN: server.clientSecret } });
    assert.equal(ok, false);
    const [cause = "", ...advice] = linesOf(diagnostics);
    assert.match(
      cause,
      /AccessToken resource 'token' has a problem: .*clientSecret \(or SCM_CLIENT_SECRET\) is missing/,
    );
    assert.equal(advice.length, 1);
    assert.equal(requests(), 1);
  });

  test("a function's failure is told as plainly, and a refusal is not asked for twice", onlyIfLong, async () => {
    const program = `module.exports = async () => {
      await scmAuth.getAccessToken().catch(() => "and again, later");
      return { token: (await scmAuth.getAccessToken()).accessToken };
    };`;
    const { stack, requests } = await stage.scene("function", program, { env: { SCM_CLIENT_SECRET: WRONG } });
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, false);
    assert.match(diagnostics, /^error: Authentication error: .*\nThe client id or the secret is wrong\..*$/);
    assert.equal(requests(), 1);
  });

  test("a path that differs on the next machine gets a warning", onlyIfLong, async () => {
    const program = 'new scmAuth.AuthFile("auth", { path: require("node:path").resolve("deep/auth.json") });';
    const { stack, folder } = await stage.scene("absolute", program);
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, true);
    assert.match(diagnostics, /path is absolute, .*: write "deep\/auth\.json"\.$/);
    assert.ok(existsSync(join(folder, "deep/auth.json")));
  });
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { getErrorPage } from "../../shared/version.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createStack, toLines, WRONG_SECRET } from "./fixtures.ts";

describe("A program", { concurrency: 2 }, () => {
  test("fails with one cause and one hint for a wrong secret, which it sends only once", async () => {
    const program = `
      const auth = new scmAuth.AuthFile("auth", { path: "auth.json" });
      new scmAuth.AuthFile("same", { path: "auth.json" });
      new scmAuth.AuthFile("other", { path: "other.json", timeout: 60 });
      exports.token = scmAuth.getAccessTokenOutput({ authFile: auth.path }).accessToken;
      exports.length = auth.path.apply((path) => path.length);`;
    const { stack, server } = await createStack("wrong", program, { env: { SCM_CLIENT_SECRET: WRONG_SECRET } });
    const { ok, diagnostics, previewed } = await stack.up();
    assert.equal(ok, false);
    const [cause = "", hint = "", link, ...others] = toLines(diagnostics);
    assert.match(cause, /^error: Authentication error: .*invalid_client/);
    assert.match(hint, /^The client ID or the secret is wrong\./);
    assert.equal(link, `See ${getErrorPage("invalid_client")}`);
    assert.deepEqual([others, previewed], [[], []]);
    assert.equal(server.countTokenRequests(), 1);
    assertNoSecret({ diagnostics, messages: stack.getMessages(/^$/) }, [WRONG_SECRET]);
  });

  test("reports all invalid arguments at once, without their values", async () => {
    const program = `
      const args = { path: "", tsgId: "my-tenant", maxRetries: 99, minTtl: "5m", tokenUrl: "ftp://somewhere" };
      exports.path = new scmAuth.AuthFile("auth", args).path;`;
    const { stack, server } = await createStack("invalid", program, { env: { SCM_CLIENT_ID: undefined } });
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, false);
    const [cause = "", ...hints] = toLines(diagnostics);
    for (const name of ["path", "tsgId", "maxRetries", "minTtl", "tokenUrl", "clientId \\(or SCM_CLIENT_ID\\)"])
      assert.match(cause, new RegExp(`\\b${name} (must|is|does)\\b`), name);
    assert.equal(hints.length, 2);
    assert.doesNotMatch(diagnostics, /my-tenant|ftp:|5m|serializing|\bat .*:\d+:\d+/);
    assert.equal(server.countTokenRequests(), 0);
  });

  test("does not register a resource with an unsupported argument, even if the value of another argument is not known yet", async () => {
    const program = `
      const before = new scmAuth.AccessToken("before");
      new scmAuth.AuthFile("auth", { path: "auth.json", tsgId: before.tsgId, client_secret: "${WRONG_SECRET}", tags: [] });`;
    const { stack } = await createStack("unknown-argument", program);
    const { ok, diagnostics, steps } = await stack.preview();
    assert.deepEqual([ok, steps], [false, ["create before"]]);
    const [cause, ...hints] = toLines(diagnostics);
    const expected = "client_secret is not a valid argument; did you mean clientSecret?; tags is not a valid argument.";
    assert.equal(cause, `error: Configuration error: ${expected}`);
    assert.equal(hints.length, 2);
    assertNoSecret({ diagnostics, messages: stack.getMessages(/^$/) }, [WRONG_SECRET]);
  });

  test("ends within the time limit if the server does not respond", async (t) => {
    const silent = await startScriptedServer({ token: { hang: true }, jwks: { hang: true } });
    t.after(silent.close);
    const program = 'new scmAuth.AuthFile("auth", { path: "auth.json", timeout: 2, maxRetries: 0 });';
    const { stack } = await createStack("silent", program, { env: { SCM_TOKEN_URL: silent.tokenUrl } });
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, false);
    assert.match(diagnostics, /^error: Network error: /);
  });

  test("does not replace a file that scm-auth did not create", async () => {
    const { stack, directory } = await createStack("unmanaged", 'new scmAuth.AuthFile("auth", { path: "auth.json" });');
    const path = join(directory, "auth.json");
    await writeFile(path, '{"client_secret":"of another tool"}');
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, false);
    assert.ok(diagnostics.includes(`error: File error: the auth file ${path} already exists`), diagnostics);
  });

  test("shows an error from the dynamic provider process only once", async () => {
    // Only the program has the secret. The file that it creates is sufficient for an AuthFile but not for an
    // AccessToken.
    const program = `
      process.env.SCM_CLIENT_SECRET = process.env.SECRET;
      new scmAuth.AuthFile("auth", { path: "auth.json" });
      new scmAuth.AccessToken("token");`;
    const { stack, server } = await createStack("process", program, { env: { SCM_CLIENT_SECRET: undefined } });
    const { ok, diagnostics } = await stack.preview({ env: { SECRET: server.clientSecret } });
    assert.equal(ok, false);
    const [cause = "", ...hints] = toLines(diagnostics);
    assert.match(
      cause,
      /AccessToken resource 'token' has a problem: .*clientSecret \(or SCM_CLIENT_SECRET\) is required/,
    );
    assert.equal(hints.length, 2, diagnostics);
    assert.equal(server.countTokenRequests(), 1);
  });

  test("shows warnings for an absolute path and for a file that Git does not ignore", async () => {
    const program = 'new scmAuth.AuthFile("auth", { path: require("node:path").resolve("deep/auth.json") });';
    const { stack, directory } = await createStack("absolute", program);
    execFileSync("git", ["init", "--quiet", directory]);
    await mkdir(join(directory, "deep"));
    const { ok, diagnostics } = await stack.preview();
    assert.equal(ok, true);
    assert.match(diagnostics, /^AuthFile: the path is absolute .*; use "deep\/auth\.json"\.\ngit does not ignore/);
    assert.ok(existsSync(join(directory, "deep/auth.json")));
  });
});

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { SERIALIZED_PROVIDER } from "../../provider/dynamic/serialized.ts";
import { ensureAuthFile } from "../../shared/auth-file/ensure-auth-file.ts";
import {
  assertKeepsSecrets,
  assertNoChange,
  assertSteps,
  caFile,
  createStack,
  NO_CREDENTIALS,
  readJwt,
  startServer,
} from "./fixtures.ts";

describe("AuthFile", { concurrency: 2 }, () => {
  test("makes one token request for a preview, updates, and refreshes, and shows no diff", async () => {
    const program = 'exports.path = new scmAuth.AuthFile("auth", { path: ".scm/auth.json" }).path;';
    const testStack = await createStack("story", program);
    const { stack, server, directory } = testStack;
    const file = join(directory, ".scm/auth.json");

    assertSteps(await stack.preview(), ["create auth"]);
    assert.equal(await readJwt(file), server.issued[0]);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal(await readFile(join(directory, ".scm/.gitignore"), "utf8"), "*\n");

    assertSteps(await stack.up({ skipPreview: true }), ["create auth"]);
    const { inputs, outputs } = stack.getResource("auth");
    assert.deepEqual(outputs["path"], ".scm/auth.json");
    assert.equal(inputs["__provider"], SERIALIZED_PROVIDER);

    assertNoChange(await stack.refresh({ skipPreview: true }));
    assertNoChange(await stack.up({ refresh: true }));
    assert.equal(server.countTokenRequests(/^scm-auth-pulumi\/1\.0\.0$/), 1);
    assertKeepsSecrets(testStack);

    assertSteps(await stack.destroy(), ["delete auth"]);
    assert.ok(!existsSync(file));
    assert.equal(server.countTokenRequests(), 1);
  });

  test("creates its file before the program continues, even in operations that do not include the resource", async () => {
    const program = `
      const { path } = new scmAuth.AuthFile("auth", { path: "auth.json" });
      exports.length = path.apply((name) => require("node:fs").readFileSync(name, "utf8").length);`;
    const { stack, server, directory } = await createStack("targets", program);
    assertSteps(await stack.up({ skipPreview: true }), ["create auth"]);
    const file = join(directory, "auth.json");
    const operations = {
      "up --target": () => stack.up({ targets: ["other"], skipPreview: true }),
      "up --refresh --run-program": () => stack.up({ refresh: true, runProgram: true, skipPreview: true }),
      "refresh --run-program": () => stack.refresh({ runProgram: true, skipPreview: true }),
      refresh: () => stack.refresh({ skipPreview: true }),
    };
    for (const [name, operate] of Object.entries(operations)) {
      await rm(file);
      const before = server.countTokenRequests();
      assertSteps(await operate(), []);
      assert.equal(server.countTokenRequests() - before, 1, name);
      assert.ok(existsSync(file), name);
    }
    await rm(file);
    assertSteps(await stack.destroy({ runProgram: true }), ["delete auth"]);
    assert.ok(!existsSync(file), "the program did not create it again");
  });

  test("replaces the file and removes the old one when the path changes", async () => {
    const program = 'if (process.env.AUTH_PATH) new scmAuth.AuthFile("auth", { path: process.env.AUTH_PATH });';
    const { stack, directory } = await createStack("moved", program);
    const list = (): readonly boolean[] => ["one.json", "two.json"].map((name) => existsSync(join(directory, name)));
    assertSteps(await stack.up({ skipPreview: true, env: { AUTH_PATH: "one.json" } }), ["create auth"]);
    assertSteps(await stack.up({ skipPreview: true, env: { AUTH_PATH: "two.json" } }), ["replace auth", "delete auth"]);
    assert.deepEqual(list(), [false, true]);
    // The refresh recreates the file of a resource that is no longer in the program.
    assertSteps(await stack.up({ skipPreview: true, refresh: true }), ["delete auth"]);
    assert.deepEqual(list(), [false, false]);
  });

  test("shares the token and the file among twenty resources, and keeps the file until the last of them is deleted", async () => {
    const program = `
      for (let i = 0; i < +process.env.COUNT; i++) new scmAuth.AuthFile("auth" + i, { path: "auth.json" });`;
    const { stack, server, directory } = await createStack("twenty", program);
    const created = await stack.up({ skipPreview: true, env: { COUNT: "20" } });
    assert.deepEqual([created.ok, created.steps.length, created.diagnostics], [true, 20, ""]);
    assertSteps(await stack.up({ skipPreview: true, env: { COUNT: "19" } }), ["delete auth19"]);
    assert.ok(existsSync(join(directory, "auth.json")));
    assert.equal(server.countTokenRequests(), 1);
  });

  test("uses credentials from arguments and stores no secret", async () => {
    const program = `
      const { ID, SECRET, URL, CA } = process.env;
      const credentials = { clientId: ID, clientSecret: pulumi.secret(SECRET), tokenUrl: URL, ca: CA };
      new scmAuth.AuthFile("auth", { path: "auth.json", ...credentials });`;
    const testStack = await createStack("arguments", program, {
      env: { ...NO_CREDENTIALS, NODE_EXTRA_CA_CERTS: undefined },
    });
    const { stack, server } = testStack;
    const env = { ID: server.clientId, SECRET: server.clientSecret, URL: server.tokenUrl, CA: caFile };
    assertSteps(await stack.up({ env, skipPreview: true }), ["create auth"]);
    assert.ok(!("clientSecret" in stack.getResource("auth").inputs));
    assert.equal(stack.getResource("auth").outputs["path"], "auth.json", "the path is not a secret");
    assertNoChange(await stack.preview({ env }));
    assertNoChange(await stack.refresh({ env, skipPreview: true }));
    assert.equal(server.countTokenRequests(), 1);
    assertKeepsSecrets(testStack);
  });

  test("keeps two accounts in one program separate", async () => {
    const other = await startServer({ clientId: "cd@42.iam.panserviceaccount.com", tsgIds: ["42"] });
    const program = `
      const { ID, SECRET, URL } = process.env;
      new scmAuth.AuthFile("one", { path: "one.json" });
      new scmAuth.AuthFile("two", { path: "two.json", clientId: ID, clientSecret: SECRET, tokenUrl: URL });`;
    const { stack, server, directory } = await createStack("accounts", program);
    const credentials = { ID: other.clientId, SECRET: other.clientSecret, URL: other.tokenUrl };
    // The scope in the environment applies only to the account in the environment.
    const result = await stack.up({ skipPreview: true, env: { ...credentials, SCM_SCOPE: "tsg_id:1234567890" } });
    assert.deepEqual([result.ok, result.diagnostics], [true, ""]);
    assert.deepEqual([await readJwt(join(directory, "one.json"))], server.issued);
    assert.deepEqual([await readJwt(join(directory, "two.json"))], other.issued);
  });

  test("uses an existing file without a secret, and reports what is missing if there is no file", async () => {
    const program = 'new scmAuth.AuthFile("auth", { path: "auth.json" });';
    const { stack, server, directory } = await createStack("existing", program, { env: NO_CREDENTIALS });
    const path = join(directory, "auth.json");
    const missing = await stack.preview();
    assert.equal(missing.ok, false);
    assert.ok(missing.diagnostics.includes(`(${path}: no such file)`), missing.diagnostics);
    assert.match(missing.diagnostics, /clientSecret \(or SCM_CLIENT_SECRET\) is required/);

    const { clientId, clientSecret, tokenUrl, ca } = server;
    await ensureAuthFile({ clientId, clientSecret, tokenUrl, ca }, { path });
    const env = { SCM_TOKEN_URL: tokenUrl };
    assertSteps(await stack.up({ env, skipPreview: true }), ["create auth"]);
    assertNoChange(await stack.refresh({ env, skipPreview: true }));
    assertNoChange(await stack.up({ env, refresh: true, skipPreview: true }));
    assert.equal(server.countTokenRequests(), 1);
    assertSteps(await stack.destroy({ env }), ["delete auth"]);
    assert.ok(existsSync(path), "its identity is not known here");
  });

  test("ignores arguments added by a transformation and shows a warning", async () => {
    const program = `
      pulumi.runtime.registerStackTransformation(({ props, opts }) => ({ props: { ...props, tags: { env: "dev" } }, opts }));
      new scmAuth.AuthFile("auth", { path: "auth.json" });`;
    const { stack } = await createStack("transformed", program);
    const { ok, steps, diagnostics } = await stack.up({ skipPreview: true });
    assert.deepEqual([ok, steps], [true, ["create auth"]]);
    assert.match(diagnostics, /^warning: scm-auth resource 'auth': tags is not a valid argument; it is ignored\.$/);
    assert.ok(!("tags" in stack.getResource("auth").inputs));
    assert.deepEqual((await stack.preview()).steps, []);
  });
});

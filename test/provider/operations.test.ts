import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { ensureAuthFile } from "../../shared/handoff/ensure-auth-file.ts";
import { parseAuthFile } from "../../shared/handoff/auth-file-format.ts";
import { PROVIDER } from "../../provider/abi.ts";
import { assertKeepsSecrets, Stage } from "./stage.ts";
import { onlyIfLong } from "../support/long-tests.ts";

const NO_CREDENTIALS = {
  NODE_EXTRA_CA_CERTS: undefined,
  SCM_CLIENT_ID: undefined,
  SCM_CLIENT_SECRET: undefined,
  SCM_TOKEN_URL: undefined,
};
const AUTH_FILE = 'new scmAuth.AuthFile("auth", { path: ".scm/auth.json" });';

describe("An AuthFile through the operations of a stack", { concurrency: 2 }, () => {
  const stage = new Stage();

  test("one token request serves all that follows, which shows no diff and leaves no secret", async () => {
    const scene = await stage.scene("story", `exports.path = ${AUTH_FILE.slice(0, -1)}.path;`);
    const { stack, server, requests } = scene;
    const folder = join(scene.folder, ".scm");

    const first = await stack.preview();
    assert.deepEqual([first.ok, first.steps, first.diagnostics], [true, ["create auth"], ""]);
    const file = parseAuthFile(await readFile(join(folder, "auth.json"), "utf8"));
    assert.equal(file?.jwt, server.issued.at(-1));
    assert.equal((await stat(join(folder, "auth.json"))).mode & 0o777, 0o600);
    assert.equal(await readFile(join(folder, ".gitignore"), "utf8"), "*\n");

    const created = await stack.up();
    assert.deepEqual([created.ok, created.steps, created.diagnostics], [true, ["create auth"], ""]);
    assert.equal(stack.resource("auth").outputs["path"], ".scm/auth.json");
    assert.equal(stack.resource("auth").inputs["__provider"], PROVIDER);

    for (const again of [await stack.refresh({ skipPreview: true }), await stack.up({ refresh: true })])
      assert.deepEqual([again.ok, again.previewed, again.steps, again.diagnostics], [true, [], [], ""]);
    assert.equal(requests(), 1);
    assertKeepsSecrets(scene);

    const gone = await stack.destroy();
    assert.deepEqual([gone.ok, gone.steps, gone.diagnostics], [true, ["delete auth"], ""]);
    assert.equal(existsSync(join(folder, "auth.json")), false);
    assert.equal(requests(), 1);
  });

  /** What the resources of the real provider do first: they read the file. */
  const READER = `
    const fs = require("node:fs");
    const auth = ${AUTH_FILE}
    exports.jwt = auth.path.apply((path) => JSON.parse(fs.readFileSync(path, "utf8")).jwt.length);`;

  test(
    "the program itself makes sure of the file, so that it is there when no call reaches the resource",
    onlyIfLong,
    async () => {
      const { stack, folder, requests } = await stage.scene("targets", READER);
      assert.ok((await stack.up({ skipPreview: true })).ok);
      const file = join(folder, ".scm/auth.json");
      const operations = {
        "up --target other": () => stack.up({ targets: ["other"], skipPreview: true }),
        "up --refresh --run-program": () => stack.up({ refresh: true, runProgram: true, skipPreview: true }),
        "refresh --run-program": () => stack.refresh({ runProgram: true, skipPreview: true }),
        refresh: () => stack.refresh({ skipPreview: true }),
      };
      for (const [name, run] of Object.entries(operations)) {
        await rm(file);
        const before = requests();
        const { ok, steps, diagnostics } = await run();
        assert.deepEqual([ok, steps, diagnostics], [true, [], ""], name);
        assert.equal(requests() - before, 1, name);
        assert.ok(existsSync(file), name);
      }
      await rm(file);
      const before = requests();
      const gone = await stack.destroy({ runProgram: true });
      assert.deepEqual([gone.ok, gone.steps], [true, ["delete auth"]], gone.diagnostics);
      assert.equal(requests() - before, 1);
      assert.ok(!existsSync(file), "the program that lived through the end did not bring it back");
    },
  );

  test("a path that changes is another file, and the old one goes", onlyIfLong, async () => {
    const program = 'if (process.env.AUTH_PATH) new scmAuth.AuthFile("auth", { path: process.env.AUTH_PATH });';
    const { stack, folder } = await stage.scene("moved", program);
    const there = (name: string): boolean => existsSync(join(folder, name));
    assert.ok((await stack.up({ skipPreview: true, env: { AUTH_PATH: "one.json" } })).ok);
    const { steps } = await stack.up({ skipPreview: true, env: { AUTH_PATH: "two.json" } });
    assert.deepEqual(steps, ["replace auth", "delete auth"]);
    assert.deepEqual([there("one.json"), there("two.json")], [false, true]);
    // A refresh makes sure of the file, and the program has it no more.
    const gone = await stack.up({ skipPreview: true, refresh: true });
    assert.deepEqual([gone.ok, gone.steps, there("two.json")], [true, ["delete auth"], false]);
  });

  test(
    "twenty resources on one path ask for one token, and one of them that goes takes no file along",
    onlyIfLong,
    async () => {
      const { stack, folder, requests } = await stage.scene(
        "twenty",
        'for (let i = 0; i < +process.env.COUNT; i++) new scmAuth.AuthFile("auth" + i, { path: "auth.json" });',
      );
      const created = await stack.up({ skipPreview: true, env: { COUNT: "20" } });
      assert.deepEqual([created.ok, created.steps.length], [true, 20], created.diagnostics);
      const fewer = await stack.up({ skipPreview: true, env: { COUNT: "19" } });
      assert.deepEqual(fewer.steps, ["delete auth19"]);
      assert.ok(existsSync(join(folder, "auth.json")));
      assert.equal(requests(), 1);
    },
  );

  test("credentials given as arguments are used, and the secret gets nowhere", async () => {
    const scene = await stage.scene(
      "given",
      `const { ID, SECRET, URL, CA } = process.env;
       new scmAuth.AuthFile("auth", { path: "auth.json", clientId: ID, clientSecret: pulumi.secret(SECRET), tokenUrl: URL, ca: CA });`,
      { env: NO_CREDENTIALS },
    );
    const { stack, server, requests } = scene;
    const { clientId, clientSecret, tokenUrl } = server;
    const env = { ID: clientId, SECRET: clientSecret, URL: tokenUrl, CA: stage.caFile };
    const created = await stack.up({ env, skipPreview: true });
    assert.deepEqual([created.ok, created.diagnostics], [true, ""]);
    // Not even the mark of a secret is left where it was.
    assert.ok(!("clientSecret" in stack.resource("auth").inputs));
    assert.equal(stack.resource("auth").outputs["path"], "auth.json", "which is no secret");
    for (const again of [await stack.up({ env }), await stack.refresh({ env, skipPreview: true })])
      assert.deepEqual([again.ok, again.previewed, again.steps], [true, [], []], again.diagnostics);
    assert.equal(requests(), 1);
    assertKeepsSecrets(scene, { diagnostics: created.diagnostics });
  });

  test("two tenants in one program get two tokens and never mix", onlyIfLong, async () => {
    const other = await stage.serve({ clientId: "cd@42.iam.panserviceaccount.com", tenants: ["42"] });
    const { stack, server, folder } = await stage.scene(
      "tenants",
      `new scmAuth.AuthFile("one", { path: "one.json" });
       new scmAuth.AuthFile("two", { path: "two.json", clientId: process.env.ID, clientSecret: process.env.SECRET,
         tokenUrl: process.env.URL });`,
    );
    const { clientId: ID, clientSecret: SECRET, tokenUrl: URL } = other;
    const { ok, diagnostics } = await stack.up({
      skipPreview: true,
      env: { ID, SECRET, URL, SCM_SCOPE: "tsg_id:1234567890" },
    });
    assert.deepEqual([ok, diagnostics], [true, ""]);
    const tokenOf = async (name: string) => parseAuthFile(await readFile(join(folder, name), "utf8"))?.jwt ?? "";
    assert.ok(server.issued.includes(await tokenOf("one.json")));
    assert.deepEqual(other.issued, [await tokenOf("two.json")]);
  });

  test("who has no secret takes a file that is there, and with none is told what is missing", async () => {
    const { stack, folder, server, requests } = await stage.scene(
      "found",
      'new scmAuth.AuthFile("auth", { path: "auth.json" });',
      { env: { ...NO_CREDENTIALS, NODE_EXTRA_CA_CERTS: stage.caFile } },
    );
    const none = await stack.up();
    assert.equal(none.ok, false);
    assert.match(none.diagnostics, /^error: .*clientSecret \(or SCM_CLIENT_SECRET\) is missing/);
    // As the action's step does.
    const { clientId, clientSecret, tokenUrl, ca } = server;
    await ensureAuthFile({ clientId, clientSecret, tokenUrl, ca }, { path: join(folder, "auth.json") });
    const env = { SCM_TOKEN_URL: tokenUrl };
    for (const run of [() => stack.up({ env }), () => stack.refresh({ env }), () => stack.up({ env, refresh: true })]) {
      const { ok, diagnostics } = await run();
      assert.deepEqual([ok, diagnostics], [true, ""]);
    }
    assert.equal(requests(), 1, "the one of the step");
    assert.deepEqual((await stack.destroy({ env })).steps, ["delete auth"]);
    assert.ok(existsSync(join(folder, "auth.json")), "whose it is, nobody here knows");
  });
});

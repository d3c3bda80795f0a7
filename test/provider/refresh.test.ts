import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { SERIALIZED_PROVIDER } from "../../provider/dynamic/serialized.ts";
import { ProviderProcess } from "../support/engine/provider-process.ts";
import { createProject } from "../support/engine/project.ts";
import { waitUntil } from "../support/poll.ts";
import { assertSteps, createEnv, createStack, readJwt, root, startServer } from "./fixtures.ts";

/** The token lifetime in seconds. A token is refreshed in the middle third of its lifetime. */
const TTL = 6;

const server = await startServer({ ttl: TTL });
const directory = await createProject(join(root, "dynamic"), {});
const dynamic = await ProviderProcess.startDynamic({ directory, env: createEnv(server) });
after(() => dynamic.stop());

async function ensure(path: string): Promise<string> {
  const inputs = { __provider: SERIALIZED_PROVIDER, kind: "auth-file", name: path, path };
  assert.deepEqual((await dynamic.check({}, inputs)).failures, []);
  return join(directory, path);
}

test("the dynamic provider process refreshes the file", async () => {
  const path = await ensure("refreshed.json");
  for (let refreshes = 1; refreshes <= 2; refreshes++) {
    const before = await readJwt(path);
    await waitUntil("the file has a new token", async () => (await readJwt(path)) !== before, 30_000);
  }
  const jwt = await readJwt(path);
  assert.ok(jwt !== undefined && server.issued.includes(jwt));
});

test("does not recreate a file that was removed together with its directory", async () => {
  const path = await ensure(".scm/auth.json");
  await rm(dirname(path), { recursive: true });
  await delay(TTL * 1000);
  assert.ok(!existsSync(dirname(path)));
});

test("the program also refreshes the file, and can still exit", async () => {
  const program = `
    new scmAuth.AuthFile("auth", { path: "auth.json" });
    const fs = require("node:fs");
    const read = () => { try { return JSON.parse(fs.readFileSync("auth.json", "utf8")).jwt } catch {} };
    const waitUntil = async (condition) => {
      for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    module.exports = async () => {
      await waitUntil(() => read() !== undefined);
      const first = read();
      await waitUntil(() => ![first, undefined].includes(read()));
    };`;
  const { stack, server: ownServer } = await createStack("program", program, { server: { ttl: TTL } });
  // With this target, the dynamic provider process is idle.
  assertSteps(await stack.up({ skipPreview: true, targets: ["none"] }), []);
  assert.ok(ownServer.countTokenRequests() >= 2);
});

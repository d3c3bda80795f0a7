import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { assertNoCanary } from "../support/canaries.ts";
import { examples, settingsFor } from "../support/examples.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { missingTool } from "../support/tools.ts";

/**
 * The examples under act, a real reader of workflow files, in host mode, exactly as they are published: act is told
 * where the action's repository lies. act hides masked values in the order they come and never drops an
 * output, so what it shows is judged for secrets, not for their exact marks.
 */
const run = promisify(execFile);
const repository = new URL("../../", import.meta.url);

const USES = /uses: ["']?([\w.-]+\/scm-auth@[^\s"']+)/;

describe("Under act", () => {
  let network: ScmNetwork;
  before(async () => {
    network = await startScmNetwork();
  });
  after(() => network.close());

  for (const { name, workflow, needs } of examples) {
    test(name, async (context) => {
      const absent = await missingTool(["act", "git", ...needs]);
      if (absent !== undefined) {
        context.skip(`NOT RUN ${absent}: not on PATH`);
        return;
      }
      const [, action = "none"] = USES.exec(workflow) ?? [];
      const { server, env } = network;
      const { vars, secrets } = settingsFor(server);
      const folder = await mkdtemp(join(tmpdir(), "scm-auth-act-"));
      try {
        await mkdir(join(folder, ".github/workflows"), { recursive: true });
        await writeFile(join(folder, ".github/workflows/example.yml"), workflow);
        for (const part of ["action.yml", "dist/action"])
          await cp(new URL(part, repository), join(folder, "action", part), { recursive: true });
        await run("git", ["init", "-q", folder]);
        const seenBefore = server.requests.length;
        const args = [
          [
            "workflow_dispatch",
            "-P",
            "ubuntu-latest=-self-hosted",
            "-P",
            "self-hosted=-self-hosted",
            "-W",
            ".github/workflows/example.yml",
          ],
          ["--local-repository", `${action}=${join(folder, "action")}`],
          Object.entries(vars).flatMap(([key, value]) => ["--var", `${key}=${value}`]),
          Object.entries(secrets).flatMap(([key, value]) => ["-s", `${key}=${value}`]),
          Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
        ].flat();
        const home = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: join(folder, "cache") };
        const { stdout, stderr } = await run("act", args, {
          cwd: folder,
          env: { PATH: process.env["PATH"], ...home },
          timeout: 120_000,
        });
        const requests = server.requests.slice(seenBefore);
        assert.deepEqual(
          requests.filter(({ method }) => method === "POST").map(({ status }) => status),
          [200],
          stdout,
        );
        const token = server.issued.at(-1) ?? "";
        const calls = requests.filter(({ path }) => path.startsWith("/config/"));
        assert.equal(calls.length > 0, /api\.strata|pan-scm-sdk/.test(workflow));
        for (const { headers } of calls) assert.equal(headers.authorization, `Bearer ${token}`);
        assertNoCanary([server.clientSecret, token], { "act's stdout": stdout, "act's stderr": stderr });
        const { stdout: version } = await run("act", ["--version"]);
        const [number] = /[\d.]+/.exec(version) ?? ["of unknown version"];
        context.diagnostic(`RAN act ${number}: ${name}, ${requests.length} requests`);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});

import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { assertNoCanary } from "../support/canaries.ts";
import { runCommand } from "../support/command.ts";
import { examples, settingsFor } from "../support/examples.ts";
import { makeProviderMirror, type ProviderMirror } from "../support/opentofu.ts";
import { canSeeProcesses, processesWith } from "../support/orphans.ts";
import { TOKEN_PATH } from "../support/scm-provider.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { missingTool, versionOf } from "../support/tools.ts";

/**
 * The examples under act, a real reader of workflow files, in host mode, exactly as they are published: act is told
 * where the action's repository lies. act hides masked values in the order they come and never drops an
 * output, so what it shows is judged for secrets, not for their exact marks.
 */
const repository = new URL("../../", import.meta.url);

const USES = /uses: ["']?([\w.-]+\/scm-auth@[^\s"']+)/;
/** Brings what this machine has already. actions/checkout is act's own business. */
const INSTALLERS = /uses: (opentofu\/setup-opentofu@\S+)/g;
const INSTALLED = "runs: { using: composite, steps: [{ run: tofu version, shell: bash }] }";

describe("Under act", () => {
  let network: ScmNetwork;
  let mirror: ProviderMirror;
  before(async () => {
    mirror = await makeProviderMirror();
  });
  after(() => mirror.remove());
  beforeEach(async () => {
    network = await startScmNetwork();
  });
  afterEach(() => network.close());

  // The artifacts between two jobs are kept by GitHub, and their actions are not here; nor is this package in npm's
  // registry before its release, for `npm ci`.
  for (const { name, workflow, called, needs, files } of examples.filter(
    (one) => !/-artifact@|npm ci/.test(one.workflow),
  )) {
    test(name, async (context) => {
      const absent = await missingTool(["act", "git", ...needs]);
      if (absent !== undefined) {
        context.skip(`NOT RUN ${absent}: not on PATH`);
        return;
      }
      const text = [workflow, ...called.values()].join("\n");
      const [, action = "none"] = USES.exec(text) ?? [];
      const { server } = network;
      const env = { ...network.env, ...mirror.env };
      const { vars, secrets } = settingsFor(server);
      const folder = await mkdtemp(join(tmpdir(), "scm-auth-act-"));
      try {
        const copied = join(folder, "repository");
        await mkdir(join(copied, ".github/workflows"), { recursive: true });
        await writeFile(join(copied, ".github/workflows/example.yml"), workflow);
        if (files) await cp(files, copied, { recursive: true });
        for (const part of ["action.yml", "dist/action"])
          await cp(new URL(part, repository), join(folder, "action", part), { recursive: true });
        await mkdir(join(folder, "called/.github/workflows"), { recursive: true });
        for (const [address, other] of called)
          await writeFile(join(folder, "called/.github/workflows", basename(address.replace(/@.*/, ""))), other);
        await mkdir(join(folder, "installer"));
        await writeFile(join(folder, "installer/action.yml"), INSTALLED);
        // Its home, and so all that this run makes, lies in a folder of its own.
        const place = {
          folder: copied,
          env: { HOME: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: join(folder, "cache") },
          timeoutMs: 120_000,
        };
        await runCommand("git", ["init", "-q"], place);
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
          [...called.keys()].flatMap((address) => [
            "--local-repository",
            `${address.replace(/\/\.github\/.*(?=@)/, "")}=${join(folder, "called")}`,
          ]),
          [...workflow.matchAll(INSTALLERS)].flatMap(([, installer = ""]) => [
            "--local-repository",
            `${installer}=${join(folder, "installer")}`,
          ]),
          Object.entries(vars).flatMap(([key, value]) => ["--var", `${key}=${value}`]),
          Object.entries(secrets).flatMap(([key, value]) => ["-s", `${key}=${value}`]),
          Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
        ].flat();
        const { exitCode, stdout, stderr } = await runCommand("act", args, place);
        assert.equal(exitCode, 0, stdout);
        const { requests } = server;
        assert.deepEqual(
          requests.filter(({ path }) => path === TOKEN_PATH).map(({ status }) => status),
          [200],
          stdout,
        );
        const token = server.issued.at(-1) ?? "";
        const calls = requests.filter(({ path }) => path.startsWith("/config/"));
        assert.equal(calls.length > 0, /api\.strata|pan-scm-sdk|tofu apply/.test(text));
        for (const { headers } of calls) assert.equal(headers.authorization, `Bearer ${token}`);
        assertNoCanary([server.clientSecret, token], { "act's stdout": stdout, "act's stderr": stderr });
        if (workflow.includes("auth-file: true")) {
          assert.match(stdout, /The auth file is removed\. Its keeper renewed it 0 times\./);
          const left = await readdir(folder, { recursive: true });
          assert.deepEqual(
            left.filter((path) => /scm-auth-[0-9a-f]{12}\.json/.test(path)),
            [],
          );
          const processes = () => processesWith((seen) => JSON.stringify(seen).includes(folder));
          for (let tries = 0; canSeeProcesses && tries < 20 && (await processes()).length > 0; tries++)
            await setTimeout(100);
          if (canSeeProcesses) assert.deepEqual(await processes(), []);
        }
        const ran = ["act", ...(needs.includes("tofu") ? ["tofu"] : [])];
        for (const tool of ran)
          context.diagnostic(`RAN ${tool} ${await versionOf(tool)}: ${name} under act, ${requests.length} requests`);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});

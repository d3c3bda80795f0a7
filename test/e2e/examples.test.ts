import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createProviderMirror, getSkipReason, reportRun, type ProviderMirror } from "../support/clients.ts";
import { examples, type Example } from "../support/examples.ts";
import { waitUntil } from "../support/poll.ts";
import { canListProcesses, findProcesses, runProcess } from "../support/processes.ts";
import { inRepository } from "../support/runner-job.ts";
import { TOKEN_PATH } from "../support/scm-auth-server.ts";
import { startScmNetwork } from "../support/scm-network.ts";
import { assertNoSecret } from "../support/secrets.ts";

/**
 * Runs the published examples with act (https://github.com/nektos/act) on this machine. They use the action in this
 * repository. Actions that install tools or transfer artifacts are replaced.
 */

/** Replacements for other actions. Artifacts are stored in a directory that all jobs share. */
const REPLACEMENTS: Readonly<Record<string, string>> = {
  "opentofu/setup-opentofu": "runs: { using: composite, steps: [{ run: tofu version, shell: bash }] }",
  "actions/setup-node": "runs: { using: composite, steps: [{ run: node --version, shell: bash }] }",
  "pulumi/actions": "runs: { using: composite, steps: [{ run: pulumi version, shell: bash }] }",
  "actions/upload-artifact": `inputs: { name: {}, path: {} }
runs:
  using: composite
  steps:
    - run: mkdir -p "$ARTIFACTS/\${{ inputs.name }}" && cp -r "\${{ inputs.path }}" "$ARTIFACTS/\${{ inputs.name }}"
      shell: bash`,
  "actions/download-artifact": `inputs: { name: {} }
runs: { using: composite, steps: [{ run: 'cp -r "$ARTIFACTS/\${{ inputs.name }}/." .', shell: bash }] }`,
};

const USES = /uses: ["']?([\w.-]+\/[\w.-]+@[^\s"']+)/g;

describe("examples with act", () => {
  let mirror: ProviderMirror;
  before(async () => {
    mirror = await createProviderMirror();
  });
  after(() => mirror.remove());

  // Examples with `npm ci` are omitted because they need the npm registry.
  for (const example of examples.filter(({ workflow }) => !workflow.includes("npm ci"))) {
    test(`${example.name} works as published`, async (t) => {
      const reason = await getSkipReason(["act", "git", ...example.clients]);
      if (reason !== false) {
        t.skip(reason);
        return;
      }
      const network = await startScmNetwork();
      const root = await mkdtemp(join(tmpdir(), "scm-auth-act-"));
      t.after(async () => {
        await network.close();
        await rm(root, { recursive: true, force: true });
      });
      const env = { ...network.env, ...mirror.env, ARTIFACTS: join(root, "artifacts") };
      const { exitCode, log } = await runAct(example, root, network.server, env);
      assert.equal(exitCode, 0, log);

      const { requests, issued, clientSecret } = network.server;
      const statuses = requests.filter(({ path }) => path === TOKEN_PATH).map(({ status }) => status);
      assert.deepEqual(statuses, Array(example.signIns).fill(200), log);
      const calls = requests.filter(({ path }) => path.startsWith("/config/"));
      const text = [example.workflow, ...example.called.values()].join("\n");
      assert.equal(calls.length > 0, /api\.strata|pan-scm-sdk|tofu apply/.test(text));
      for (const { status, headers } of calls) {
        assert.ok(status < 300);
        assert.ok(issued.includes((headers.authorization ?? "").replace("Bearer ", "")));
      }
      assertNoSecret({ "act's log": log }, [clientSecret, ...issued]);
      const files = await readdir(root, { recursive: true });
      assert.deepEqual(
        files.filter((path) => /scm-auth-[0-9a-f]{12}\.json/.test(path)),
        [],
      );
      const findOrphans = () => findProcesses((candidate) => JSON.stringify(candidate).includes(root));
      if (canListProcesses) await waitUntil("all processes ended", async () => (await findOrphans()).length === 0);
      for (const client of ["act", ...example.clients.filter((name) => ["tofu", "pan-scm-sdk"].includes(name))])
        await reportRun(t, client, `${example.name} with act, ${requests.length} requests`);
    });
  }
});

async function runAct(
  { workflow, called, clients }: Example,
  root: string,
  account: { readonly clientId: string; readonly clientSecret: string; readonly tsgId: string; readonly ca: string },
  env: Readonly<Record<string, string>>,
) {
  const checkout = join(root, "repository");
  await mkdir(join(checkout, ".github/workflows"), { recursive: true });
  await writeFile(join(checkout, ".github/workflows/example.yml"), workflow);
  if (clients.includes("tofu")) await cp(inRepository("examples/opentofu"), checkout, { recursive: true });
  for (const part of ["action.yml", "dist/action"])
    await cp(inRepository(part), join(root, "action", part), { recursive: true });

  const text = [workflow, ...called.values()].join("\n");
  const local: string[] = [];
  for (const use of new Set([...text.matchAll(USES)].map(([, name = ""]) => name))) {
    const [name = ""] = use.split("@");
    const replacement = REPLACEMENTS[name];
    if (replacement !== undefined) {
      await mkdir(join(root, name), { recursive: true });
      await writeFile(join(root, name, "action.yml"), replacement);
      local.push(`${use}=${join(root, name)}`);
    } else if (name.endsWith("/scm-auth")) local.push(`${use}=${join(root, "action")}`);
  }
  for (const [address, other] of called) {
    const directory = join(root, "called/.github/workflows");
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, basename(address.replace(/@.*/, ""))), other);
    local.push(`${address.replace(/\/\.github\/.*(?=@)/, "")}=${join(root, "called")}`);
  }

  const vars = { SCM_CLIENT_ID: account.clientId, SCM_TSG_ID: account.tsgId, PROXY_CA: account.ca };
  const options = (name: string, values: Readonly<Record<string, string>>): readonly string[] =>
    Object.entries(values).flatMap(([key, value]) => [name, `${key}=${value}`]);
  const args = [
    ...["workflow_dispatch", "-W", ".github/workflows/example.yml"],
    ...["-P", "ubuntu-latest=-self-hosted", "-P", "self-hosted=-self-hosted"],
    ...local.flatMap((one) => ["--local-repository", one]),
    ...options("--var", vars),
    ...options("-s", { SCM_CLIENT_SECRET: account.clientSecret }),
    ...options("--env", env),
  ];
  // The home directory and everything that act writes are in a temporary directory.
  const home = { HOME: root, XDG_CONFIG_HOME: root, XDG_CACHE_HOME: join(root, "cache") };
  const place = { cwd: checkout, env: { PATH: process.env["PATH"], ...home }, timeoutMs: 300_000 };
  await runProcess("git", ["init", "-q"], place);
  return runProcess("act", args, place);
}

test("README.md and docs/auth-file.md show the same HCL blocks as examples/opentofu/main.tf", async () => {
  const [program = "", ...pages] = await Promise.all(
    ["examples/opentofu/main.tf", "README.md", "docs/auth-file.md"].map((path) => readFile(inRepository(path), "utf8")),
  );
  for (const [, block = ""] of pages.join("").matchAll(/```hcl\n([^]*?)```/g))
    assert.ok(program.includes(block), block);
});

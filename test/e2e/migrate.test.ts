import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { parse } from "yaml";
import { createProviderMirror, getSkipReason, OPENTOFU, reportRun } from "../support/clients.ts";
import { createProgramDirectory } from "../support/command-line.ts";
import { runProcess, type ProcessResult } from "../support/processes.ts";
import { inRepository } from "../support/runner-job.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";

/**
 * Runs the blocks of docs/migrate.md that test/e2e/examples.test.ts (workflows) and test/repository/docs.test.ts (Python)
 * do not run.
 */

const page = await readFile(inRepository("docs/migrate.md"), "utf8");
const configuration = await readFile(inRepository("examples/opentofu/main.tf"), "utf8");

const getBlocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"))].map(([, block = ""]) => block);

interface Setup {
  readonly home: string;
  readonly network: ScmNetwork;
  /** Runs a shell script in the home directory, in which `.config/scm/secret` contains the client secret. */
  readonly run: (script: string, env?: Readonly<Record<string, string>>) => Promise<ProcessResult>;
}

async function prepare(t: TestContext): Promise<Setup> {
  const home = await createTempDir(t);
  const network = await startScmNetwork();
  const mirror = await createProviderMirror();
  t.after(async () => {
    await network.close();
    await mirror.remove();
  });
  const bin = await createProgramDirectory(home);
  await mkdir(join(home, ".config/scm"), { recursive: true });
  await writeFile(join(home, ".config/scm/secret"), network.server.clientSecret, { mode: 0o600 });
  const env = { ...network.env, ...mirror.env, HOME: home, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  return {
    home,
    network,
    run: (script, more = {}) =>
      runProcess("sh", ["-c", script], { cwd: home, env: { ...env, ...more }, timeoutMs: 120_000 }),
  };
}

function assertSucceeded({ server }: ScmNetwork, { exitCode, log }: ProcessResult, tokenRequests: number): void {
  assert.equal(exitCode, 0, log);
  assert.equal(server.countTokenRequests(), tokenRequests, log);
  assert.ok(server.requests.some(({ path, status }) => path.startsWith("/config/objects/v1/tags") && status < 300));
  assertNoSecret({ log }, [server.clientSecret, ...server.issued]);
}

describe("docs/migrate.md", { skip: process.platform === "win32" }, () => {
  const [hclBefore = "", hclAfter = ""] = getBlocks("hcl");
  const [watch = "", runTofu = "", runPython = ""] = getBlocks("sh");

  test("with the provider's own variables, tofu apply sends two token requests", async (t) => {
    const reason = await getSkipReason(OPENTOFU);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    assert.ok(configuration.includes(hclAfter));
    const { home, network, run } = await prepare(t);
    await writeFile(join(home, "main.tf"), configuration.replace(hclAfter, hclBefore));
    const block = getBlocks("yaml").find((text) => text.includes("SCM_SCOPE")) ?? "";
    const [step] = parse(block) as readonly { readonly run: string; readonly env: Readonly<Record<string, string>> }[];
    assert.ok(step);
    const { clientId, clientSecret, tsgId } = network.server;
    const env = { SCM_CLIENT_ID: clientId, SCM_CLIENT_SECRET: clientSecret, SCM_SCOPE: `tsg_id:${tsgId}` };
    assert.deepEqual(Object.keys(step.env), Object.keys(env));
    // The default of the provider is another path of the auth server, which the local server does not have.
    const SCM_AUTH_URL = "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token";
    assertSucceeded(network, await run(step.run, { ...env, SCM_AUTH_URL }), 2);
    await reportRun(t, "tofu", "docs/migrate.md, with the provider's own variables");
  });

  test("the command that replaces the cron job keeps a file without the secret", async (t) => {
    const reason = await getSkipReason(["curl", "jq"]);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    const { network, run } = await prepare(t);
    const result = await run(
      `sh -c "$WATCH" & until test -f ~/scm-auth/auth.json; do sleep 0.1; done
       ! grep -r ${network.server.clientSecret} ~/scm-auth || exit 1
       curl -fsS -H "Authorization: Bearer $(jq -r .jwt ~/scm-auth/auth.json)" \
         "https://api.strata.paloaltonetworks.com/config/objects/v1/tags?folder=All"
       status=$?; kill $!; while test -f ~/scm-auth/auth.json; do sleep 0.1; done; exit $status`,
      // Without exec, the signal would reach only the shell.
      { WATCH: watch.replace("scm-auth auth-file", "exec scm-auth auth-file") },
    );
    assertSucceeded(network, result, 1);
  });

  test("scm-auth run replaces the cron job for one command", async (t) => {
    const reason = await getSkipReason(OPENTOFU);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    const { home, network, run } = await prepare(t);
    await writeFile(join(home, "main.tf"), configuration);
    assertSucceeded(network, await run(runTofu), 1);
  });

  test("the Python program takes a token from the command", async (t) => {
    const reason = await getSkipReason(["pan-scm-sdk"]);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    const { home, network, run } = await prepare(t);
    await writeFile(join(home, "tags.py"), getBlocks("py")[0] ?? "");
    const { clientId, clientSecret, tsgId } = network.server;
    const account = { SCM_CLIENT_ID: clientId, SCM_CLIENT_SECRET: clientSecret, SCM_TSG_ID: tsgId };
    assertSucceeded(network, await run(runPython, account), 1);
    await reportRun(t, "pan-scm-sdk", "docs/migrate.md");
  });
});

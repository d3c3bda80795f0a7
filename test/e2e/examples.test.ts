import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { examples, settingsFor } from "../support/examples.ts";
import { makeProviderMirror, type ProviderMirror } from "../support/opentofu.ts";
import { openPulumiPrograms, pulumi, pulumiSurroundings, type PulumiPrograms } from "../support/pulumi.ts";
import { TOKEN_PATH } from "../support/scm-provider.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { missingTool, versionOf } from "../support/tools.ts";
import { combinationsOf, jobsOf, runWorkflow } from "../support/workflow.ts";

/** Tools that tell that they ran. */
const CLIENTS = ["pan-scm-sdk", "tofu", "pulumi"];

describe("What users copy works as it is published", () => {
  let network: ScmNetwork;
  let mirror: ProviderMirror;
  before(async () => {
    mirror = await makeProviderMirror();
  });
  let programs: PulumiPrograms | undefined;
  after(async () => {
    await mirror.remove();
    await programs?.remove();
  });
  beforeEach(async () => {
    network = await startScmNetwork();
  });
  afterEach(() => network.close());

  /** A Pulumi project with what `npm ci` installs, and its stack. */
  async function stackOf(files: URL) {
    programs ??= await openPulumiPrograms();
    const folder = await programs.make("example", files);
    const { exitCode, log } = await pulumi(["stack", "init", "dev"], { folder, env: {} });
    assert.equal(exitCode, 0, log);
    return { files: pathToFileURL(`${folder}/`), env: pulumiSurroundings(folder) };
  }

  for (const { name, workflow, called, needs, files } of examples) {
    const jobsIn = jobsOf(workflow, called);
    const text = [workflow, ...called.values()].join("\n");
    test(name, async (context) => {
      const absent = await missingTool(needs);
      if (absent !== undefined) {
        context.skip(`NOT RUN ${absent}: not on PATH`);
        return;
      }
      const { server, env } = network;
      const prepared = files && needs.includes("pulumi") ? await stackOf(files) : { files, env: {} };
      const settings = {
        ...settingsFor(server),
        env: { ...env, ...mirror.env, ...prepared.env },
        ...(prepared.files && { files: prepared.files }),
      };
      const jobs = await runWorkflow(workflow, settings, called);
      for (const { exitCode, log, leftovers } of jobs) {
        assert.equal(exitCode, 0, log);
        assert.deepEqual(
          leftovers.filter((left) => left.includes("scm-auth")),
          [],
        );
      }
      assert.equal(jobs.length, jobsIn.flatMap(([, job]) => combinationsOf(job)).length);
      const { requests } = server;
      // One sign-in for each job that opens no sealed token, and none by what the job runs.
      assert.deepEqual(
        requests.filter(({ path }) => path === TOKEN_PATH).map(({ status }) => status),
        jobsIn
          .flatMap(([, job]) => combinationsOf(job).map(() => job))
          .filter(({ steps }) => steps.every((step) => step.with?.["sealed-token"] === undefined))
          .map(() => 200),
      );
      const calls = requests.filter(({ path }) => path.startsWith("/config/"));
      assert.equal(calls.length > 0, /api\.strata|pan-scm-sdk|tofu apply|pulumi up/.test(text));
      const tokens = jobs.flatMap(({ signIns }) => signIns.flatMap(({ token }) => token ?? []));
      for (const { status, headers } of calls) {
        assert.ok(status < 300);
        assert.ok(tokens.includes((headers.authorization ?? "").replace("Bearer ", "")));
      }
      if (workflow.includes("auth-file: true"))
        for (const { posts } of jobs) assert.match(posts[0]?.log ?? "", /^The auth file is removed\./);
      for (const client of CLIENTS.filter((client) => needs.includes(client)))
        context.diagnostic(`RAN ${client} ${await versionOf(client)}: ${name}, ${requests.length} requests`);
    });
  }

  test("the lines that the README changes for a matrix stand in examples/workflows/matrix.yml", async () => {
    const [readme = "", example = ""] = await Promise.all(
      ["README.md", "examples/workflows/matrix.yml"].map((path) =>
        readFile(new URL(`../../${path}`, import.meta.url), "utf8"),
      ),
    );
    const [, block = ""] = /```diff\n([^]*?)```/.exec(readme) ?? [];
    const added = block.split("\n").flatMap((line) => /^\+(.*?) +# /.exec(line)?.[1] ?? []);
    assert.equal(added.length, 4);
    for (const line of added) assert.ok(example.split("\n").includes(line), line);
  });

  test("the README shows the provider as examples/opentofu/main.tf has it", async () => {
    const [readme, program] = await Promise.all(
      ["README.md", "examples/opentofu/main.tf"].map((path) =>
        readFile(new URL(`../../${path}`, import.meta.url), "utf8"),
      ),
    );
    const blocks = [...(readme ?? "").matchAll(/```hcl\n([^]*?)```/g)];
    assert.ok(blocks.length > 0);
    for (const [, block = ""] of blocks) assert.ok(program?.includes(block), block);
  });
});

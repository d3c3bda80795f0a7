import assert from "node:assert/strict";
import { copyFile, cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { AuthFileJobs, tokenRequestsOf, type AuthFileJob } from "../support/auth-file-job.ts";
import type { CommandRun } from "../support/command.ts";
import { onlyIfLong } from "../support/long-tests.ts";
import { makeProviderMirror, OPENTOFU_TOOLS, tofu, type ProviderMirror } from "../support/opentofu.ts";
import { TAGS_PATH } from "../support/scm-api.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { missingTool, versionOf } from "../support/tools.ts";

/**
 * The auth file under the real OpenTofu and the real scm provider, against a server shaped like SCM. Everybody who
 * asks the auth server says who it is: the action's requests and the provider's can't be mixed up.
 */
const absent = await missingTool(OPENTOFU_TOOLS);
const here = { skip: absent === undefined ? false : `NOT RUN tofu: no ${absent} on PATH` };

/** The provider, as it calls itself when it signs in. */
const PROVIDER = /^Go-http-client/;
/** Seconds. So short that a pause can be longer. */
const LIFE = 20;
const PAUSE = LIFE + 1;

const example = new URL("../../examples/opentofu/", import.meta.url);
const head = (await readFile(new URL("main.tf", example), "utf8")).split('resource "', 1)[0] ?? "";

/** A tag, a time in which the provider has nothing to do, and what comes after it. */
const withPause = (command: string, next: string): string => `${head}
resource "scm_tag" "before" {
  folder = "Shared"
  name   = "before"
}
resource "terraform_data" "pause" {
  depends_on = [scm_tag.before]
  provisioner "local-exec" {
    command = ${JSON.stringify(command)}
  }
}
${next}`;

const ONE_MORE = `
resource "scm_tag" "after" {
  depends_on = [terraform_data.pause]
  folder     = "Shared"
  name       = "after"
}`;

const MANY_READS = `
data "scm_tag" "again" {
  count      = 60
  depends_on = [terraform_data.pause]
  id         = scm_tag.before.id
}`;

let mirror: ProviderMirror;
const networks: ScmNetwork[] = [];
const allJobs: AuthFileJobs[] = [];

/** A network of its own for a test, so that its requests are the test's alone. */
async function scene(ttl?: number): Promise<{ readonly network: ScmNetwork; readonly jobs: AuthFileJobs }> {
  const network = await startScmNetwork(ttl === undefined ? {} : { ttl });
  const jobs = new AuthFileJobs(network);
  networks.push(network);
  allJobs.push(jobs);
  return { network, jobs };
}

/** Runs tofu as a step of the job. */
const step = (
  job: AuthFileJob,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandRun> => tofu(args, { folder: job.folder, env: { ...job.env, ...mirror.env, ...env } });

async function succeed(job: AuthFileJob, ...args: readonly string[]): Promise<string> {
  const { exitCode, log } = await step(job, args);
  assert.equal(exitCode, 0, log);
  return log;
}

/** Puts a program of one file into the job's workspace and makes it ready. */
async function prepare(job: AuthFileJob, program: string): Promise<void> {
  await writeFile(join(job.folder, "main.tf"), program);
  await succeed(job, "init");
}

/** An error as it reads without the frame and the line breaks that tofu puts into it. */
const unframed = (log: string): string => log.replace(/[│╷╵]/g, " ").replace(/\s+/g, " ");

const apiCalls = ({ server }: ScmNetwork) => server.requests.filter(({ path }) => path.startsWith("/config/"));
const tagsMade = (network: ScmNetwork): number =>
  apiCalls(network).filter(({ method, path, status }) => method === "POST" && path === TAGS_PATH && status === 201)
    .length;
const readsOf = (network: ScmNetwork) =>
  apiCalls(network).filter(({ method, path }) => method === "GET" && path.startsWith(`${TAGS_PATH}/`));

async function ran(context: TestContext, what: string, network: ScmNetwork): Promise<void> {
  const calls = apiCalls(network).length;
  const asked = tokenRequestsOf(network, PROVIDER);
  context.diagnostic(
    `RAN tofu ${await versionOf("tofu")}: ${what}, ${calls} requests to the API, ${asked} for a token`,
  );
}

describe("OpenTofu with the auth file", { ...here, concurrency: 3 }, () => {
  before(async () => {
    mirror = await makeProviderMirror();
  });
  after(async () => {
    for (const jobs of allJobs) await jobs.remove();
    for (const network of networks) await network.close();
    await mirror.remove();
  });

  test("plans, applies and destroys with the action's token, and asks for none", async (context) => {
    const { network, jobs } = await scene();
    const job = await jobs.begin();
    await cp(example, job.folder, { recursive: true });
    await succeed(job, "init");
    await succeed(job, "plan");
    assert.match(await succeed(job, "apply", "-auto-approve"), /2 added/);
    assert.match(await succeed(job, "destroy", "-auto-approve"), /2 destroyed/);
    assert.ok(apiCalls(network).length >= 6);
    for (const { status, headers } of apiCalls(network)) {
      assert.ok(status < 300);
      assert.equal(headers.authorization, `Bearer ${job.token}`);
    }
    assert.equal(tokenRequestsOf(network, PROVIDER), 0);
    assert.equal(network.server.issued.length, 1);
    assert.match((await job.end()).log, /The auth file is removed/);
    await ran(context, "plan, apply and destroy", network);
  });

  test("applies in one job what was planned in another, whose file is gone", async (context) => {
    const { network, jobs } = await scene();
    const planned = await jobs.begin();
    await cp(example, planned.folder, { recursive: true });
    await succeed(planned, "init");
    await succeed(planned, "plan", "-out=saved.tfplan");
    await planned.end();
    const applied = await jobs.begin();
    assert.notEqual(applied.path, planned.path);
    for (const name of ["main.tf", ".terraform.lock.hcl", "saved.tfplan"])
      await copyFile(join(planned.folder, name), join(applied.folder, name));
    await succeed(applied, "init");
    assert.match(await succeed(applied, "apply", "saved.tfplan"), /2 added/);
    for (const { headers } of apiCalls(network)) assert.equal(headers.authorization, `Bearer ${applied.token}`);
    assert.equal(tokenRequestsOf(network, PROVIDER), 0);
    await applied.end();
    await ran(context, "a plan applied by another job", network);
  });

  test("can't apply another job's plan when the variable is not ephemeral", async () => {
    const { jobs } = await scene();
    const [planned, applied] = [await jobs.begin(), await jobs.begin()];
    await prepare(planned, (await readFile(new URL("main.tf", example), "utf8")).replace("ephemeral = true", ""));
    await succeed(planned, "plan", "-out=saved.tfplan");
    await planned.end();
    for (const name of ["main.tf", ".terraform.lock.hcl", "saved.tfplan"])
      await copyFile(join(planned.folder, name), join(applied.folder, name));
    await succeed(applied, "init");
    const { exitCode, log } = await step(applied, ["apply", "saved.tfplan"]);
    assert.equal(exitCode, 1);
    assert.match(unframed(log), /Mismatch between input and plan variable value .*"scm_auth_file"/);
    await applied.end();
  });

  test(`goes on after a pause longer than a token's life (${PAUSE} s, tokens of ${LIFE} s)`, async (context) => {
    const { network, jobs } = await scene(LIFE);
    const job = await jobs.begin();
    await prepare(job, withPause(`sleep ${PAUSE}`, ONE_MORE));
    assert.match(await succeed(job, "apply", "-auto-approve"), /3 added/);
    assert.equal(tagsMade(network), 2);
    assert.equal(tokenRequestsOf(network, PROVIDER), 0);
    const [first, last] = [apiCalls(network).at(0), apiCalls(network).at(-1)];
    assert.notEqual(first?.headers.authorization, last?.headers.authorization);
    assert.match((await job.end()).log, /renewed it \d+ time/);
    await ran(context, `a pause of ${PAUSE} s between two tags, tokens of ${LIFE} s`, network);
  });

  test("does so too when the secret is in the step's environment", async (context) => {
    const { network, jobs } = await scene(LIFE);
    const job = await jobs.begin();
    await prepare(job, withPause(`sleep ${PAUSE}`, ONE_MORE));
    const { exitCode, log } = await step(job, ["apply", "-auto-approve"], {
      SCM_CLIENT_SECRET: network.server.clientSecret,
    });
    assert.equal(exitCode, 0, log);
    assert.equal(tagsMade(network), 2);
    assert.equal(tokenRequestsOf(network, PROVIDER), 0);
    await job.end();
    await ran(context, `a pause of ${PAUSE} s with SCM_CLIENT_SECRET`, network);
  });

  test("fails half-way through the same apply when nobody keeps the file fresh", async () => {
    const { network, jobs } = await scene(LIFE);
    const job = await jobs.begin({ "keep-fresh": "false" });
    await prepare(job, withPause(`sleep ${PAUSE}`, ONE_MORE));
    const { exitCode, log } = await step(job, ["apply", "-auto-approve"]);
    assert.equal(exitCode, 1);
    assert.match(unframed(log), /invalid_client/);
    assert.equal(tagsMade(network), 1);
    assert.ok(tokenRequestsOf(network, PROVIDER) > 0);
    await job.end();
  });

  test("says in the provider's own error why no token is renewed any more", async () => {
    const { network, jobs } = await scene(LIFE);
    const job = await jobs.begin();
    network.server.changeSecret("another secret, since this morning");
    await prepare(job, withPause(`sleep ${PAUSE}`, ONE_MORE));
    const { exitCode, log } = await step(job, ["apply", "-auto-approve"]);
    assert.equal(exitCode, 1);
    assert.match(
      unframed(log),
      /auth error: invalid_client - Authentication error: the server refused .* hint: The client id or the secret is wrong/,
    );
    assert.equal(tagsMade(network), 1);
    assert.equal(tokenRequestsOf(network, PROVIDER), 0);
    await job.end();
  });

  test("goes on after a pause of 130 s with tokens of 100 s", onlyIfLong, async (context) => {
    const { network, jobs } = await scene(100);
    const job = await jobs.begin();
    await prepare(job, withPause("sleep 130", ONE_MORE));
    assert.match(await succeed(job, "apply", "-auto-approve"), /3 added/);
    assert.equal(tokenRequestsOf(network, PROVIDER), 0);
    await job.end();
    await ran(context, "a pause of 130 s between two tags, tokens of 100 s", network);
  });

  test("reads 60 tags, ten at a time, when an outage ends with 30 s of token left", onlyIfLong, async (context) => {
    const life = 100;
    const { network, jobs } = await scene(life);
    const begun = performance.now();
    const job = await jobs.begin();
    await prepare(job, withPause("for i in $(seq 1000); do [ -e go ] && break; sleep 0.2; done", MANY_READS));
    const apply = step(job, ["apply", "-auto-approve", "-parallelism=10"]);
    // The provider took the first token; the keeper renews it, and then the auth server is away.
    for (let tries = 0; tries < life * 10 && network.server.issued.length < 2; tries++) await setTimeout(100);
    assert.equal(network.server.issued.length, 2);
    const renewed = performance.now();
    network.setOutage(true);
    // Now the provider's token has ended, and what the keeper has is too short to be handed out.
    await setTimeout(Math.max(begun + (life - 9) * 1000, renewed + (life - 45) * 1000) - performance.now());
    await writeFile(join(job.folder, "go"), "");
    await setTimeout(renewed + (life - 30) * 1000 - performance.now());
    assert.equal(readsOf(network).length, 0);
    network.setOutage(false);
    const over = performance.now();
    const { exitCode, log } = await apply;
    const seconds = ((performance.now() - over) / 1000).toFixed(1);
    assert.equal(exitCode, 0, log);
    assert.equal(readsOf(network).length, 60);
    assert.ok(readsOf(network).every(({ status }) => status === 200));
    assert.equal(tokenRequestsOf(network, PROVIDER), 0);
    assert.match((await job.end()).log, /through 1 outage of the auth server/);
    await ran(context, `60 reads, done ${seconds} s after an outage`, network);
  });
});

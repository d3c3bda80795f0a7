import assert from "node:assert/strict";
import { copyFile, cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createProviderMirror, getSkipReason, OPENTOFU, reportRun, type ProviderMirror } from "../support/clients.ts";
import { NetworkJobs, type AuthFileJob } from "../support/network-jobs.ts";
import { runProcess, type ProcessResult } from "../support/processes.ts";
import { inRepository } from "../support/runner-job.ts";
import { TAGS_PATH } from "../support/scm-api.ts";

/**
 * Tests the auth file with the real OpenTofu and the real scm provider. The User-Agent shows whether a token request
 * was sent by the action or by the provider.
 */

/** The User-Agent in the provider's token requests. */
const PROVIDER = /^Go-http-client/;
/** A token lifetime so short that a test can wait until a token has expired. */
const TTL_SECONDS = 20;
const PAUSE_SECONDS = TTL_SECONDS + 1;
const LONG = process.env["SCM_AUTH_LONG_TESTS"] === undefined && "takes minutes: set SCM_AUTH_LONG_TESTS";

const example = inRepository("examples/opentofu");
const [providerBlock = ""] = (await readFile(join(example, "main.tf"), "utf8")).split('resource "', 1);

/** Creates a program with a tag, then a pause during which the provider sends no requests, and then `rest`. */
const withPause = (command: string, rest: string): string => `${providerBlock}
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
${rest}`;

const SECOND_TAG = `
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

/** Removes the frame and the line breaks that OpenTofu adds to an error. */
const unframe = (log: string): string => log.replace(/[│╷╵]/g, " ").replace(/\s+/g, " ");

describe("OpenTofu", { skip: await getSkipReason(OPENTOFU), concurrency: 3 }, () => {
  let mirror: ProviderMirror;
  const all: NetworkJobs[] = [];
  before(async () => {
    mirror = await createProviderMirror();
  });
  after(async () => {
    for (const jobs of all) await jobs.close();
    await mirror.remove();
  });

  /** Starts a network for one test, so that it receives requests only from that test. */
  async function startJobs(ttl?: number): Promise<NetworkJobs> {
    const jobs = await NetworkJobs.start(ttl);
    all.push(jobs);
    return jobs;
  }
  const tofu = (job: AuthFileJob, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runProcess("tofu", [...args, "-no-color"], {
      cwd: job.directory,
      env: { PATH: process.env["PATH"], HOME: job.directory, TF_IN_AUTOMATION: "1", ...job.env, ...mirror.env, ...env },
      timeoutMs: 300_000,
    });
  async function succeed(job: AuthFileJob, ...args: readonly string[]): Promise<string> {
    const { exitCode, log } = await tofu(job, args);
    assert.equal(exitCode, 0, log);
    return log;
  }
  async function prepare(job: AuthFileJob, program: string): Promise<void> {
    await writeFile(join(job.directory, "main.tf"), program);
    await succeed(job, "init");
  }
  async function prepareExample(job: AuthFileJob): Promise<void> {
    await cp(example, job.directory, { recursive: true });
    await succeed(job, "init");
  }
  async function copyPlan(from: AuthFileJob, to: AuthFileJob): Promise<void> {
    for (const name of ["main.tf", ".terraform.lock.hcl", "saved.tfplan"])
      await copyFile(join(from.directory, name), join(to.directory, name));
    await succeed(to, "init");
  }
  const countProviderRequests = ({ network }: NetworkJobs): number => network.server.countTokenRequests(PROVIDER);
  const countTags = (jobs: NetworkJobs): number => jobs.countApiRequests("POST", TAGS_PATH);
  const report = (t: TestContext, what: string, jobs: NetworkJobs): Promise<void> =>
    reportRun(
      t,
      "tofu",
      `${what}, ${jobs.apiRequests.length} API requests, ${countProviderRequests(jobs)} token requests`,
    );
  const assertFailed = ({ exitCode, log }: ProcessResult, message: RegExp): void => {
    assert.equal(exitCode, 1, log);
    assert.match(unframe(log), message);
  };

  test("plans, applies, and destroys with the action's token and makes no token request", async (t) => {
    const jobs = await startJobs();
    const job = await jobs.begin();
    await prepareExample(job);
    await succeed(job, "plan");
    assert.match(await succeed(job, "apply", "-auto-approve"), /2 added/);
    assert.match(await succeed(job, "destroy", "-auto-approve"), /2 destroyed/);
    assert.ok(jobs.apiRequests.length >= 6);
    for (const { status, headers } of jobs.apiRequests) {
      assert.ok(status < 300);
      assert.equal(headers.authorization, `Bearer ${job.token}`);
    }
    assert.equal(countProviderRequests(jobs), 0);
    assert.equal(jobs.network.server.issued.length, 1);
    assert.match((await job.end()).log, /removed/i);
    await report(t, "plan, apply and destroy", jobs);
  });

  test("applies a plan created in another job whose auth file no longer exists", async (t) => {
    const jobs = await startJobs();
    const [planned, applied] = [await jobs.begin(), await jobs.begin()];
    await prepareExample(planned);
    await succeed(planned, "plan", "-out=saved.tfplan");
    await planned.end();
    await copyPlan(planned, applied);
    assert.match(await succeed(applied, "apply", "saved.tfplan"), /2 added/);
    for (const { headers } of jobs.apiRequests) assert.equal(headers.authorization, `Bearer ${applied.token}`);
    assert.equal(countProviderRequests(jobs), 0);
    await applied.end();
    await report(t, "a plan applied by another job", jobs);
  });

  test("cannot apply a plan created in another job if the variable is not ephemeral", async () => {
    const jobs = await startJobs();
    const [planned, applied] = [await jobs.begin(), await jobs.begin()];
    await prepare(planned, (await readFile(join(example, "main.tf"), "utf8")).replace("ephemeral = true", ""));
    await succeed(planned, "plan", "-out=saved.tfplan");
    await planned.end();
    await copyPlan(planned, applied);
    assertFailed(await tofu(applied, ["apply", "saved.tfplan"]), /Mismatch between input and plan variable value/);
    await applied.end();
  });

  for (const [where, getEnv] of [
    ["", () => ({})],
    [
      " and SCM_CLIENT_SECRET in the environment",
      ({ network }: NetworkJobs) => ({ SCM_CLIENT_SECRET: network.server.clientSecret }),
    ],
  ] as const) {
    // prettier-ignore
    const pause = `a pause of ${PAUSE_SECONDS} s with tokens of ${TTL_SECONDS} s${where}`;
    test(`continues after ${pause}`, async (t) => {
      const jobs = await startJobs(TTL_SECONDS);
      const job = await jobs.begin();
      await prepare(job, withPause(`sleep ${PAUSE_SECONDS}`, SECOND_TAG));
      const { exitCode, log } = await tofu(job, ["apply", "-auto-approve"], getEnv(jobs));
      assert.equal(exitCode, 0, log);
      assert.equal(countTags(jobs), 2);
      assert.equal(countProviderRequests(jobs), 0);
      assert.notEqual(jobs.apiRequests.at(0)?.headers.authorization, jobs.apiRequests.at(-1)?.headers.authorization);
      assert.match((await job.end()).log, /removed/i);
      await report(t, pause, jobs);
    });
  }

  test("fails after the same pause with keep-fresh: false", async () => {
    const jobs = await startJobs(TTL_SECONDS);
    const job = await jobs.begin({ "keep-fresh": "false" });
    await prepare(job, withPause(`sleep ${PAUSE_SECONDS}`, SECOND_TAG));
    assertFailed(await tofu(job, ["apply", "-auto-approve"]), /invalid_client/);
    assert.equal(countTags(jobs), 1);
    assert.ok(countProviderRequests(jobs) > 0);
    await job.end();
  });

  test("shows why the token is no longer refreshed in the provider's error", async () => {
    const jobs = await startJobs(TTL_SECONDS);
    const job = await jobs.begin();
    jobs.network.server.changeSecret("another secret");
    await prepare(job, withPause(`sleep ${PAUSE_SECONDS}`, SECOND_TAG));
    assertFailed(await tofu(job, ["apply", "-auto-approve"]), /invalid_client.*the secret is wrong/);
    assert.equal(countTags(jobs), 1);
    assert.equal(countProviderRequests(jobs), 0);
    await job.end();
  });

  test(
    "reads 60 tags, ten at a time, after an outage that ends 30 s before the token expires",
    { skip: LONG },
    async (t) => {
      const ttl = 100;
      const jobs = await startJobs(ttl);
      const { server } = jobs.network;
      const start = performance.now();
      const job = await jobs.begin();
      await prepare(job, withPause("for i in $(seq 1000); do [ -e go ] && break; sleep 0.2; done", MANY_READS));
      const apply = tofu(job, ["apply", "-auto-approve", "-parallelism=10"]);
      // The provider has read the first token. The outage starts after the refresher has renewed it.
      for (let n = 0; n < ttl * 10 && server.issued.length < 2; n++) await delay(100);
      assert.equal(server.issued.length, 2);
      const renewed = performance.now();
      jobs.network.setOutage(true);
      // By then, the provider's token has expired, and the refresher's token expires too soon to be served.
      await delay(Math.max(start + (ttl - 9) * 1000, renewed + (ttl - 45) * 1000) - performance.now());
      await writeFile(join(job.directory, "go"), "");
      await delay(renewed + (ttl - 30) * 1000 - performance.now());
      const countReads = (): number => jobs.countApiRequests("GET", `${TAGS_PATH}/`);
      assert.equal(countReads(), 0);
      jobs.network.setOutage(false);
      const { exitCode, log } = await apply;
      assert.equal(exitCode, 0, log);
      assert.equal(countReads(), 60);
      assert.equal(countProviderRequests(jobs), 0);
      assert.match((await job.end()).log, /outage/);
      await report(t, "60 reads after an outage", jobs);
    },
  );
});

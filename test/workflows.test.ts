import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { matchesGlob } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { partsIn } from "../scripts/bill-of-materials.ts";

/** The project's own workflows, read for what they may do. Their syntax is actionlint's business (`.ci/run`). */

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly needs?: string | readonly string[];
  readonly uses?: string;
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const repository = new URL("../", import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, repository), "utf8");

const files = (await readdir(new URL(".github/workflows/", repository))).map((name) => `.github/workflows/${name}`);
const texts = new Map(await Promise.all(files.map(async (file) => [file, await read(file)] as const)));
const workflows = new Map([...texts].map(([file, text]) => [file, parse(text) as Workflow] as const));
const jobs = [...workflows].flatMap(([file, workflow]) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ name: `${file}: ${name}`, job })),
);
const release = workflows.get(".github/workflows/release.yml")?.jobs ?? {};

/** Whether a job can change anything, or act in the project's name. */
const isPrivileged = ({ permissions = {} }: Job): boolean => Object.values(permissions).includes("write");

test("every action is pinned to a commit, one commit each, with its version beside it", () => {
  const pins = new Map<string, string>();
  for (const [file, text] of texts)
    for (const [, uses = ""] of text.matchAll(/uses: (?!\.)(.*)/g)) {
      const [, action = "", pin = ""] = /^([\w.-]+\/[\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$/.exec(uses) ?? [];
      assert.notEqual(pin, "", `${file}: ${uses}`);
      const owner = action.split("/").slice(0, 2).join("/");
      assert.equal(pins.get(owner) ?? pin, pin, `${file}: ${uses}`);
      pins.set(owner, pin);
    }
  assert.ok(pins.size >= 6);
});

test("no workflow has a permission that a job does not ask for, and no job runs without end", () => {
  for (const [file, { permissions }] of workflows) assert.deepEqual(permissions, {}, file);
  for (const { name, job } of jobs) {
    assert.ok(job.permissions, name);
    assert.ok(job.uses !== undefined || (job["timeout-minutes"] ?? Infinity) <= 30, name);
  }
});

test("nothing of a pull request runs with more than its author may do", () => {
  for (const [file, { on }] of workflows) {
    assert.ok(!("pull_request_target" in on) && !("workflow_run" in on), file);
    assert.ok(!(texts.get(file) ?? "").includes("secrets."), file);
  }
});

test("no checkout leaves the token behind, and no expression is pasted into a script", () => {
  for (const { name, job } of jobs)
    for (const step of job.steps ?? []) {
      if (step.uses?.startsWith("actions/checkout@")) assert.equal(step.with?.["persist-credentials"], false, name);
      assert.doesNotMatch(step.run ?? "", /\$\{\{/, name);
    }
});

test("a job of the release that may write anything runs no code of the project or its dependencies", () => {
  const privileged = Object.entries(release).filter(([, job]) => isPrivileged(job));
  assert.deepEqual(
    privileged.map(([name]) => name),
    ["draft", "npm", "attest", "major"],
  );
  for (const [name, { steps = [] }] of privileged) {
    const used = steps.flatMap(({ uses }) => uses?.replace(/@.*/, "") ?? []);
    assert.ok(!used.includes("actions/checkout"), name);
    for (const { run = "" } of steps) assert.doesNotMatch(run, /\bnode\b|npm (?!publish)|npx/, name);
    for (const { run = "" } of steps.filter((step) => step.run?.includes("npm publish")))
      assert.match(run, /--ignore-scripts/, name);
  }
});

test("a release passes the tests before it is drafted, and an approval before anything is public", () => {
  const needs = Object.fromEntries(Object.entries(release).map(([name, job]) => [name, [job.needs ?? []].flat()]));
  assert.deepEqual(needs, {
    tests: [],
    package: [],
    draft: ["tests", "package"],
    npm: ["draft"],
    attest: ["npm"],
    major: ["attest"],
  });
  assert.equal(release["tests"]?.uses, "./.github/workflows/ci.yml");
  assert.equal(release["npm"]?.environment, "npm");
  const holders = Object.entries(release).filter(([, { permissions }]) => permissions?.["id-token"] === "write");
  assert.deepEqual(
    holders.map(([name]) => name),
    ["npm", "attest"],
  );
});

test("Dependabot asks apart for what changes the bundle, and for all of that", async () => {
  const { updates } = parse(await read(".github/dependabot.yml")) as {
    readonly updates: readonly {
      readonly "package-ecosystem": string;
      readonly groups: Readonly<
        Record<string, { readonly patterns: readonly string[]; readonly "exclude-patterns"?: readonly string[] }>
      >;
    }[];
  };
  const { bundled, tools } = updates.find((update) => update["package-ecosystem"] === "npm")?.groups ?? {};
  assert.deepEqual(tools?.["exclude-patterns"], bundled?.patterns);
  const { devDependencies } = JSON.parse(await read("package.json")) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const licences = await Promise.all(["action"].map((bundle) => read(`dist/${bundle}/LICENSES.txt`)));
  const inBundle = licences.flatMap(partsIn).map((part) => part.replace(/@[^@]*$/, ""));
  // What a dependency brings along comes with it.
  const asked = [...inBundle.filter((name) => name in devDependencies), "esbuild"];
  assert.ok(asked.length >= 4);
  for (const name of asked)
    assert.ok(
      bundled?.patterns.some((pattern) => matchesGlob(name, pattern)),
      name,
    );
});

test("the form for failures asks for the check's summary, and holes in the security go another way", async () => {
  const form = await read(".github/ISSUE_TEMPLATE/failure.yml");
  const { body } = parse(form) as { readonly body: readonly { readonly id?: string; readonly validations?: object }[] };
  assert.deepEqual(body.find(({ id }) => id === "summary")?.validations, { required: true });
  assert.match(form, /`check: true` \(docs\/check\.md\)/);
  assert.match(form, /Never paste a client secret/);
  const { blank_issues_enabled: blank, contact_links: links } = parse(
    await read(".github/ISSUE_TEMPLATE/config.yml"),
  ) as {
    readonly blank_issues_enabled: boolean;
    readonly contact_links: readonly { readonly url: string }[];
  };
  assert.equal(blank, false);
  const [security] = links;
  assert.ok(security && (await read("SECURITY.md")).includes(`<${security.url}>`));
});

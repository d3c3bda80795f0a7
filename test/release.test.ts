import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { billOf, partsIn, type Bom } from "../scripts/bill-of-materials.ts";
import { notesOf } from "../scripts/changelog.ts";
import { run, spawn } from "./support/searched-process.ts";
import { findProgram, versionOf } from "./support/tools.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const CHANGELOG =
  "# Changelog\n\nAll changes.\n\n## 1.3.0 (2026-02-03)\n\n- One.\n- Two.\n\n## 1.2.0 (2026-01-01)\n\n- Old.\n";

describe("The notes of a release", () => {
  test("are what the changelog says of the newest version", () => {
    assert.equal(notesOf(CHANGELOG, "1.3.0"), "- One.\n- Two.\n");
    assert.equal(notesOf(CHANGELOG.split("\n## 1.2.0")[0] ?? "", "1.3.0"), "- One.\n- Two.\n");
  });

  for (const [what, changelog, version, message] of [
    ["an older version", CHANGELOG, "1.2.0", /begins with version 1\.3\.0, and not with 1\.2\.0/],
    ["a version that nothing is said of", CHANGELOG, "1.4.0", /not with 1\.4\.0/],
    ["a version without a day", CHANGELOG.replace("2026-02-03", "unreleased"), "1.3.0", /no day for version 1\.3\.0/],
    ["an empty section", CHANGELOG.replace("- One.\n- Two.\n", ""), "1.3.0", /says nothing of version 1\.3\.0/],
    ["an empty changelog", "", "1.3.0", /begins with version none/],
  ] as const)
    test(`are refused for ${what}`, () => {
      assert.throws(() => notesOf(changelog, version), message);
    });

  test("are refused for another version than package.json's", async () => {
    const script = run(process.execPath, ["scripts/release-notes.ts", "99.0.0"], { cwd: root });
    await assert.rejects(script, /package\.json has version .*, and not 99\.0\.0/);
  });

  test("can be written for the changelog that there is", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { readonly version: string };
    const changelog = await readFile(join(root, "CHANGELOG.md"), "utf8");
    assert.match(notesOf(changelog.replace("(unreleased)", "(2026-01-31)"), version), /^- /);
  });
});

describe("The list of parts", () => {
  test("names the packages in the bundle, each with its address and hash, and no other", async () => {
    const { stdout } = await run(process.execPath, ["scripts/sbom.ts", "dist/action"], { cwd: root });
    const bill = JSON.parse(stdout) as Bom & { readonly bomFormat: string };
    assert.equal(bill.bomFormat, "CycloneDX");
    assert.equal(bill.metadata.component.name, "scm-auth");
    const parts = partsIn(await readFile(join(root, "dist/action/LICENSES.txt"), "utf8"));
    assert.ok(parts.length >= 4);
    assert.deepEqual(bill.components.map((part) => part["bom-ref"]).toSorted(), parts.toSorted());
    for (const part of bill.components as readonly (Bom["components"][number] & {
      readonly purl: string;
      readonly hashes: readonly { readonly alg: string; readonly content: string }[];
    })[]) {
      assert.equal(decodeURIComponent(part.purl), `pkg:npm/${part.name}@${part.version}`);
      assert.match(part.hashes.find(({ alg }) => alg === "SHA-512")?.content ?? "", /^[0-9a-f]{128}$/);
    }
    const refs = new Set(bill.dependencies.map(({ ref }) => ref));
    for (const { dependsOn } of bill.dependencies) for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
  });

  test("is refused when the bundle has what the lockfile has not", () => {
    const component = { "bom-ref": "own@1.0.0", name: "own", version: "1.0.0" };
    const bill: Bom = { metadata: { component }, components: [], dependencies: [] };
    assert.throws(() => billOf(bill, ["other@2.0.0"]), /not in package-lock\.json: other@2\.0\.0/);
  });
});

describe("The bundle reproduces", () => {
  for (const node of ["node22", "node24", "node26"])
    test(`byte for byte on ${node}`, async (context) => {
      const path = await findProgram(node);
      if (path === undefined) {
        context.skip(`NOT RUN ${node}: not on PATH`);
        return;
      }
      const { stdout } = await run(process.execPath, ["scripts/reproduce.ts", path], { cwd: root });
      assert.equal([...stdout.matchAll(/^RAN node v[\d.]+: the bytes of dist\/action, sha256 \w{64}$/gm)].length, 2);
      context.diagnostic(`RAN ${node} ${await versionOf(node)}: builds dist/action`);
    });
});

/** Stands in for GitHub's `gh`: notes each call, knows one tag and refs that are there. */
const GH = `#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in
  *commits/tags/v1.2.3*) [ -z "$TAGGED" ] && { echo 'HTTP 422' >&2; exit 1; }; echo "$TAGGED" ;;
  *--method*) ;;
  *git/ref/tags/v1) [ -n "$MAJOR" ] ;;
esac
`;

const SHA = "0123456789abcdef0123456789abcdef01234567";

/** Runs a step of the release as the runner does. @returns its exit code, and what it asked of `gh` */
async function runStep(
  job: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly exitCode: number | null; readonly calls: readonly string[] }> {
  const { jobs } = parse(await readFile(join(root, ".github/workflows/release.yml"), "utf8")) as {
    readonly jobs: Readonly<Record<string, { readonly steps: readonly { readonly run?: string }[] }>>;
  };
  const script = jobs[job]?.steps.find((step) => step.run?.includes("gh "))?.run ?? "";
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-release-"));
  try {
    await writeFile(join(folder, "gh"), GH);
    await chmod(join(folder, "gh"), 0o755);
    await writeFile(join(folder, "step.sh"), script);
    const calls = join(folder, "calls");
    const child = spawn("bash", ["--noprofile", "--norc", "-eo", "pipefail", join(folder, "step.sh")], {
      env: {
        PATH: [folder, process.env["PATH"]].join(delimiter),
        CALLS: calls,
        GITHUB_SHA: SHA,
        GITHUB_REPOSITORY: "someone/scm-auth",
        GITHUB_STEP_SUMMARY: join(folder, "summary"),
        VERSION: "1.2.3",
        TAGGED: "",
        MAJOR: "",
        ...env,
      },
      stdio: "ignore",
      timeout: 30_000,
    });
    const [exitCode] = (await once(child, "close")) as [number | null];
    return { exitCode, calls: (await readFile(calls, "utf8")).trim().split("\n") };
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("The release workflow", { skip: process.platform === "win32" && "its runners are Linux" }, () => {
  test("drafts the release of this commit, and makes no tag", async () => {
    const { exitCode, calls } = await runStep("draft", {});
    assert.equal(exitCode, 0);
    assert.equal(calls.length, 1);
    for (const part of ["release create v1.2.3", "--draft", `--target ${SHA}`, "scm-auth-1.2.3.tgz"])
      assert.ok(calls[0]?.includes(part), part);
  });

  test("publishes only when the tag is at the commit that was checked", async () => {
    assert.equal((await runStep("npm", { TAGGED: SHA })).exitCode, 0);
    assert.notEqual((await runStep("npm", { TAGGED: SHA.replace("0", "f") })).exitCode, 0);
    assert.notEqual((await runStep("npm", { TAGGED: "" })).exitCode, 0);
  });

  test("moves the major's tag, or makes it when there is none", async () => {
    const refs = "repos/someone/scm-auth/git";
    const moved = await runStep("major", { MAJOR: "there" });
    assert.deepEqual(moved, {
      exitCode: 0,
      calls: [`api ${refs}/ref/tags/v1`, `api --method PATCH ${refs}/refs/tags/v1 -f sha=${SHA} -F force=true`],
    });
    const made = await runStep("major", {});
    assert.deepEqual(made, {
      exitCode: 0,
      calls: [`api ${refs}/ref/tags/v1`, `api --method POST ${refs}/refs -f ref=refs/tags/v1 -f sha=${SHA}`],
    });
  });
});

import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { stringify, parse } from "yaml";
import { OPENTOFU_TOOLS } from "./opentofu.ts";
import { PULUMI_TOOLS } from "./pulumi.ts";
import type { Step } from "./workflow.ts";

/** Something that users copy: a whole workflow, or steps that stand in the README or docs. */
export interface Example {
  readonly name: string;
  /** A whole workflow file. A page's blocks have one job put around them. */
  readonly workflow: string;
  /** The whole workflow files that it calls, by the addresses in its `uses:` lines. */
  readonly called: ReadonlyMap<string, string>;
  /** Tools that the machine must have to run it. */
  readonly needs: readonly string[];
  /** What the repository holds that the workflow checks out. */
  readonly files?: URL;
}

const repository = new URL("../../", import.meta.url);

const USES_OPENTOFU = /\btofu apply/;
const USES_PULUMI = /\bpulumi up/;

const needsOf = (workflow: string): readonly string[] => [
  ...(workflow.includes("curl -") ? ["curl"] : []),
  ...(workflow.includes("jq -") ? ["jq"] : []),
  ...(workflow.includes("pan-scm-sdk") ? ["pan-scm-sdk"] : []),
  ...(USES_OPENTOFU.test(workflow) ? OPENTOFU_TOOLS : []),
  ...(USES_PULUMI.test(workflow) ? PULUMI_TOOLS : []),
];

const exampleOf = (name: string, workflow: string, called: Example["called"] = new Map()): Example => ({
  name,
  workflow,
  called,
  needs: needsOf([workflow, ...called.values()].join("\n")),
  ...(USES_OPENTOFU.test(workflow) && { files: new URL("examples/opentofu/", repository) }),
  ...(USES_PULUMI.test(workflow) && { files: new URL("examples/pulumi/", repository) }),
});

/** Where a job calls another workflow, which is an example here. */
const CALLS = /uses: (\S+\/\.github\/workflows\/([\w-]+\.yml)@\S+)/g;

/** A workflow that runs when another one calls it, and is tried so. */
const isCalled = (workflow: string): boolean => /^ {2}workflow_call:/m.test(workflow);

/** Every example workflow. */
async function workflows(): Promise<readonly Example[]> {
  const folder = new URL("examples/workflows/", repository);
  const files = (await readdir(folder)).filter((file) => file.endsWith(".yml"));
  const read = (file: string): string => readFileSync(new URL(file, folder), "utf8");
  return files
    .map((file) => [file, read(file)] as const)
    .filter(([, workflow]) => !isCalled(workflow))
    .map(([file, workflow]) => {
      const calls = [...workflow.matchAll(CALLS)].map(([, address = "", name = ""]) => [address, read(name)] as const);
      return exampleOf(`examples/workflows/${file}`, workflow, new Map(calls));
    });
}

/** Pages whose YAML blocks are all steps. */
const PAGES = ["README.md", "docs/auth-file.md"];

/**
 * Every block of steps on a page. One that does not sign in follows the first, which does; one that applies a
 * configuration follows the checkout of it.
 */
async function blocksOf(page: string): Promise<readonly Example[]> {
  const text = await readFile(new URL(page, repository), "utf8");
  const blocks = [...text.matchAll(/```yaml\n([^]*?)```/g)].map(([, block = ""]) => parse(block) as Step[]);
  const [first = []] = blocks;
  return blocks.map((block, index) => {
    const signsIn = block.some(({ uses }) => uses !== undefined);
    const steps = [
      ...(USES_OPENTOFU.test(stringify(block)) ? [{ uses: "actions/checkout@v7" }] : []),
      ...(signsIn ? [] : first.slice(0, 1)),
      ...block,
    ];
    const workflow = stringify(
      { name: `Block ${index + 1}`, on: "workflow_dispatch", jobs: { page: { "runs-on": "ubuntu-latest", steps } } },
      { lineWidth: 0 },
    );
    return exampleOf(`${page}, block ${index + 1}`, workflow);
  });
}

/** All that users copy. */
export const examples: readonly Example[] = [
  ...(await workflows()),
  ...(await Promise.all(PAGES.map(blocksOf))).flat(),
];

/** The settings that the examples tell users to make, for a service account. */
export function settingsFor(account: {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tsgId: string;
  readonly ca: string;
}) {
  return {
    vars: { SCM_CLIENT_ID: account.clientId, SCM_TSG_ID: account.tsgId, PROXY_CA: account.ca },
    secrets: { SCM_CLIENT_SECRET: account.clientSecret },
  } as const;
}

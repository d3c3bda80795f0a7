import { readdir, readFile } from "node:fs/promises";
import { stringify, parse } from "yaml";
import type { Step } from "./workflow.ts";

/** Something that users copy: a whole workflow, or steps that stand in the README. */
export interface Example {
  readonly name: string;
  /** A whole workflow file. README blocks have one job put around them. */
  readonly workflow: string;
  /** Tools that the machine must have to run it. */
  readonly needs: readonly string[];
}

const repository = new URL("../../", import.meta.url);

const needsOf = (workflow: string): readonly string[] => [
  ...(workflow.includes("curl -") ? ["curl"] : []),
  ...(workflow.includes("pan-scm-sdk") ? ["pan-scm-sdk"] : []),
];

/** Every example workflow. */
async function workflows(): Promise<readonly Example[]> {
  const folder = new URL("examples/workflows/", repository);
  const files = (await readdir(folder)).filter((file) => file.endsWith(".yml"));
  return Promise.all(
    files.map(async (file) => {
      const workflow = await readFile(new URL(file, folder), "utf8");
      return { name: `examples/workflows/${file}`, workflow, needs: needsOf(workflow) };
    }),
  );
}

/** Every block of steps in the README. One that does not sign in follows the first, which does. */
async function readmeBlocks(): Promise<readonly Example[]> {
  const text = await readFile(new URL("README.md", repository), "utf8");
  const blocks = [...text.matchAll(/```yaml\n([^]*?)```/g)].map(([, block = ""]) => parse(block) as Step[]);
  const [first = []] = blocks;
  return blocks.map((block, index) => {
    const signsIn = block.some(({ uses }) => uses !== undefined);
    const steps = signsIn ? block : [...first.slice(0, 1), ...block];
    const workflow = stringify(
      { name: `README ${index + 1}`, on: "workflow_dispatch", jobs: { readme: { "runs-on": "ubuntu-latest", steps } } },
      { lineWidth: 0 },
    );
    return { name: `README.md, block ${index + 1}`, workflow, needs: needsOf(workflow) };
  });
}

/** All that users copy. */
export const examples: readonly Example[] = [...(await workflows()), ...(await readmeBlocks())];

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

import { readdir, readFile } from "node:fs/promises";
import { parse, stringify } from "yaml";
import { OPENTOFU } from "./clients.ts";

/** What users copy: a workflow, or steps from the README or the docs. */
export interface Example {
  readonly name: string;
  /** A workflow file. Steps of a page get a job around them. */
  readonly workflow: string;
  /** The workflows that it calls, by the address in `uses:`. */
  readonly called: ReadonlyMap<string, string>;
  /** The clients that it runs. */
  readonly clients: readonly string[];
  /** The number of token requests: one for each step that signs in without a sealed token. */
  readonly signIns: number;
}

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

const repository = new URL("../../", import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, repository), "utf8");

const getClients = (workflow: string): readonly string[] => [
  ...(workflow.includes("curl -") ? ["curl"] : []),
  ...(workflow.includes("jq -") ? ["jq"] : []),
  ...(workflow.includes("pan-scm-sdk") ? ["pan-scm-sdk"] : []),
  ...(/\btofu apply/.test(workflow) ? OPENTOFU : []),
];

/** The number of steps that request a token. */
function countSignIns(workflow: string): number {
  const { jobs } = parse(workflow) as { readonly jobs: Readonly<Record<string, { readonly steps?: readonly Step[] }>> };
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
  return steps.filter((step) => step.uses?.includes("/scm-auth@") && step.with?.["sealed-token"] === undefined).length;
}

/** What an example needs and does. */
const inspect = (workflows: readonly string[]) => ({
  clients: getClients(workflows.join("\n")),
  signIns: workflows.map(countSignIns).reduce((sum, count) => sum + count, 0),
});

/** A job that calls a workflow which is an example, too. */
const CALLS = /uses: (\S+\/\.github\/workflows\/([\w-]+\.yml)@\S+)/g;

/** The example workflows, except for those that others call. */
async function readWorkflows(): Promise<readonly Example[]> {
  const names = (await readdir(new URL("examples/workflows/", repository))).filter((name) => name.endsWith(".yml"));
  const examples = names.map(async (name): Promise<Example | undefined> => {
    const workflow = await read(`examples/workflows/${name}`);
    if (/^ {2}workflow_call:/m.test(workflow)) return undefined;
    const calls = [...workflow.matchAll(CALLS)].map(
      async ([, address = "", file = ""]) => [address, await read(`examples/workflows/${file}`)] as const,
    );
    const called = new Map(await Promise.all(calls));
    return { name: `examples/workflows/${name}`, workflow, called, ...inspect([workflow, ...called.values()]) };
  });
  return (await Promise.all(examples)).filter((example) => example !== undefined);
}

/**
 * The YAML blocks of a page, which are steps. A block that does not sign in follows the first one, which does; one that
 * applies a configuration follows its checkout.
 */
async function readPage(page: string): Promise<readonly Example[]> {
  const blocks = [...(await read(page)).matchAll(/```yaml\n([^]*?)```/g)].map(
    ([, block = ""]) => parse(block) as Step[],
  );
  const [first = []] = blocks;
  return blocks.map((block, index) => {
    const steps = [
      ...(/\btofu apply/.test(stringify(block)) ? [{ uses: "actions/checkout@v7" }] : []),
      ...(block.some(({ uses }) => uses !== undefined) ? [] : first.slice(0, 1)),
      ...block,
    ];
    const name = `Block ${index + 1}`;
    const job = { "runs-on": "ubuntu-latest", steps };
    const workflow = stringify({ name, on: "workflow_dispatch", jobs: { page: job } }, { lineWidth: 0 });
    return { name: `${page}, block ${index + 1}`, workflow, called: new Map(), ...inspect([workflow]) };
  });
}

export const examples: readonly Example[] = [
  ...(await readWorkflows()),
  ...(await Promise.all(["README.md", "docs/auth-file.md"].map(readPage))).flat(),
];

import { readdir, readFile } from "node:fs/promises";
import { parse, stringify } from "yaml";
import { OPENTOFU } from "./clients.ts";

/** An example that users copy: a workflow file, or steps from the README or the docs. */
export interface Example {
  readonly name: string;
  /** The text of the workflow file. Steps from a page are wrapped in a job. */
  readonly workflow: string;
  /** The workflows that it calls, by their references in `uses:`. */
  readonly called: ReadonlyMap<string, string>;
  /** The clients that it requires. */
  readonly clients: readonly string[];
  /** The number of token requests: one for each step that signs in without a sealed token. */
  readonly signIns: number;
}

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, unknown>>;
}

const repository = new URL("../../", import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, repository), "utf8");

const getClients = (workflow: string): readonly string[] => [
  ...(workflow.includes("curl -") ? ["curl"] : []),
  ...(workflow.includes("jq -") ? ["jq"] : []),
  ...(workflow.includes("pan-scm-sdk") ? ["pan-scm-sdk"] : []),
  ...(/\btofu apply/.test(workflow) ? OPENTOFU : []),
];

/** Whether a step requests a token: with the action, or with the secret in its environment. */
const signsIn = ({ uses, with: inputs, env }: Step): boolean =>
  env?.["SCM_CLIENT_SECRET"] !== undefined ||
  (uses?.includes("/scm-auth@") === true && inputs?.["sealed-token"] === undefined);

/** Returns the number of steps that request a token. */
function countSignIns(workflow: string): number {
  const { jobs } = parse(workflow) as { readonly jobs: Readonly<Record<string, { readonly steps?: readonly Step[] }>> };
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
  return steps.filter(signsIn).length;
}

/** Determines the clients that workflows require and the number of token requests that they make. */
const inspect = (workflows: readonly string[]) => ({
  clients: getClients(workflows.join("\n")),
  signIns: workflows.map(countSignIns).reduce((sum, count) => sum + count, 0),
});

/** Matches a job that calls another example workflow. */
const CALLS = /uses: (\S+\/\.github\/workflows\/([\w-]+\.yml)@\S+)/g;

/** Reads the example workflows, except those that are called by others. */
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
 * Reads the YAML blocks on a page, which contain steps or jobs. Steps that do not sign in run after the first step on
 * the page, which does. Steps that apply a configuration run after a checkout.
 */
async function readPage(page: string): Promise<readonly Example[]> {
  const blocks = [...(await read(page)).matchAll(/```yaml\n([^]*?)```/g)].map(
    ([, block = ""]) => parse(block) as Step[] | { readonly jobs: object },
  );
  const [signInStep] = blocks.flatMap((block) => (Array.isArray(block) ? block : []));
  return blocks.flatMap((block, index) => {
    const isSteps = Array.isArray(block);
    const applies = isSteps && /\btofu apply/.test(stringify(block));
    // This needs another configuration; test/e2e/migrate.test.ts runs it.
    if (applies && block.every(({ uses }) => uses === undefined) && block.some(signsIn)) return [];
    const toJobs = (steps: readonly Step[]) => ({ page: { "runs-on": "ubuntu-latest", steps } });
    const needsSignIn = isSteps && !block.some((step) => step.uses !== undefined || signsIn(step));
    const jobs = isSteps
      ? toJobs([
          ...(applies ? [{ uses: "actions/checkout@v7" }] : []),
          ...(needsSignIn && signInStep ? [signInStep] : []),
          ...block,
        ])
      : block.jobs;
    const name = `Block ${index + 1}`;
    const workflow = stringify({ name, on: "workflow_dispatch", jobs }, { lineWidth: 0 });
    return [{ name: `${page}, block ${index + 1}`, workflow, called: new Map(), ...inspect([workflow]) }];
  });
}

export const examples: readonly Example[] = [
  ...(await readWorkflows()),
  ...(await Promise.all(["README.md", "docs/auth-file.md", "docs/check.md", "docs/migrate.md"].map(readPage))).flat(),
];

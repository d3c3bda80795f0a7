import { stat } from "node:fs/promises";
import type { Row } from "./row.ts";
import type { Stage } from "./stage.ts";
import { nodeStep, type Step } from "./step.ts";

/** KiB that a step has to read before it can do anything. */
const LARGEST_MAIN = 96;

/** Each with the exit code of its shortest way out. */
const BUNDLES = { main: 1, post: 0, keeper: 1 } as const;

const fileOf = (bundle: string): string => `dist/action/${bundle}.cjs`;

/** Size of each bundle that is started as a process, and how long it takes from its start to its shortest way out. */
export async function measureBundles(stage: Stage): Promise<readonly Row[]> {
  const names = Object.keys(BUNDLES) as (keyof typeof BUNDLES)[];
  const sizes = names.map(async (name): Promise<Row> => {
    const { size } = await stat(fileOf(name));
    return { what: `${name}.cjs`, unit: "KiB", value: [size / 1024], ...(name === "main" && { goal: LARGEST_MAIN }) };
  });
  const nothing: Step = { command: [process.execPath, "-e", "0"] };
  const starts = names.map((name): [string, Step] => {
    // Without a file for outputs main ends at once; post finds nothing to remove, and the keeper no order.
    return [name, nodeStep(fileOf(name), { env: { GITHUB_OUTPUT: undefined }, exitCode: BUNDLES[name] })];
  });
  const timings = await stage.timeSteps<string>({ nothing, ...Object.fromEntries(starts) });
  const against = { what: "`node -e 0`", value: timings["nothing"] ?? [] };
  return [
    ...(await Promise.all(sizes)),
    ...names.map((name): Row => ({ what: `start of ${name}.cjs`, unit: "ms", value: timings[name] ?? [], against })),
  ];
}

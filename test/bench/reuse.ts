import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TOKEN_PATH } from "../support/scm-provider.ts";
import { runAction, type ActionRun } from "../support/runner.ts";
import type { Row } from "./row.ts";
import type { Stage } from "./stage.ts";
import { nodeStep } from "./step.ts";

const ACTION = "dist/action/main.cjs";

/** The whole step where a token is there already, against the floor that finds one and proves it. */
export async function measureReuse(stage: Stage): Promise<readonly Row[]> {
  const { inputs, job, caFile, folder } = stage;
  const env = { NODE_EXTRA_CA_CERTS: caFile };
  const first = async (own: Readonly<Record<string, string>>): Promise<ActionRun> => {
    const run = await runAction({ inputs: { ...inputs, ...own }, env, job });
    if (run.exitCode !== 0) throw new Error(`the first step failed:\n${run.log}`);
    return run;
  };
  const kept = { "auth-file": join(job.temp, "kept.json") };
  const unkept = { "auth-file": join(job.temp, "unkept.json"), "keep-fresh": "false" };
  const made = await first(kept);
  try {
    await first(unkept);
    const sealing = await first({ seal: "true" });
    const found = join(folder, "found-token");
    await writeFile(found, sealing.token ?? "");
    const sealed = { "sealed-token": sealing.outputs["sealed-token"] ?? "" };
    const asked = tokenRequests(stage);
    const step = (own: Readonly<Record<string, string>>) => nodeStep(ACTION, { inputs: { ...inputs, ...own }, env });
    const timings = await stage.timeSteps({
      floor: nodeStep("test/bench/floor.cjs", { inputs, env: { ...env, FOUND_TOKEN: found } }),
      kept: step(kept),
      unkept: step(unkept),
      sealed: step(sealed),
    });
    if (tokenRequests(stage) !== asked) throw new Error("a step that was to reuse a token asked for one");
    const against = { what: "floor that finds a token", value: timings.floor };
    return [
      { what: "auth file, its keeper asked", unit: "ms", value: timings.kept, against },
      { what: "auth file that nobody keeps fresh", unit: "ms", value: timings.unkept, against },
      { what: "sealed token", unit: "ms", value: timings.sealed, against },
    ];
  } finally {
    // Ends the keeper.
    await runAction({ inputs: { ...inputs, ...kept }, env, job, post: { state: made.state } });
    await readFile(kept["auth-file"]).then(
      () => Promise.reject(new Error("the auth file was left")),
      () => undefined,
    );
  }
}

const tokenRequests = ({ server }: Stage): number => server.requests.filter(({ path }) => path === TOKEN_PATH).length;

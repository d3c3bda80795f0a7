import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { installPythonSdk } from "../peer/python-sdk.ts";
import { startLongWay } from "./far-away.ts";
import type { LeftOut, Row } from "./row.ts";
import type { Stage } from "./stage.ts";
import { nodeStep, type Step } from "./step.ts";

/** Milliseconds to the server and back. */
const ROUND_TRIP = 50;
/** Upper bounds of the ratio to each. */
const GOALS = { near: 1.15, far: 1.05, usual: 0.6, python: 0.35 };

const ACTION = "dist/action/main.cjs";
const FLOOR = "test/bench/floor.cjs";
const SCRIPTS = { action: ACTION, floor: FLOOR };

const besideThis = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The whole step, a new process that signs in, against others that do the same. */
export async function measureSignIn(stage: Stage): Promise<readonly (Row | LeftOut)[]> {
  const { server, caFile, inputs } = stage;
  const usual = await bundleUsualAction(stage.folder);
  const python = await installPythonSdk().catch(() => undefined);
  const far = await startLongWay(server.port, ROUND_TRIP);
  const trusted = { NODE_EXTRA_CA_CERTS: caFile };
  const inputsFar = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      name,
      value.replace(server.origin, `https://127.0.0.1:${far.port}`),
    ]),
  );
  const all = (scripts: Readonly<Record<string, string>>, rest: Omit<Step, "command">) =>
    Object.fromEntries(Object.entries(scripts).map(([name, script]) => [name, nodeStep(script, rest)]));
  const byInput = { "ca-cert": caFile };
  try {
    const near = await stage.timeSteps<string>({
      ...all({ ...SCRIPTS, usual }, { inputs, env: trusted }),
      ...(python && { python: pythonStep(python.python, stage) }),
    });
    const nearByInput = await stage.timeSteps<string>(all(SCRIPTS, { inputs: { ...inputs, ...byInput } }));
    const away = await stage.timeSteps<string>(all({ ...SCRIPTS, usual }, { inputs: inputsFar, env: trusted }));
    const awayByInput = await stage.timeSteps<string>(all(SCRIPTS, { inputs: { ...inputsFar, ...byInput } }));
    const distance = `${ROUND_TRIP} ms away`;
    const row = (what: string, timings: typeof near, [other, name]: readonly [string, string], goal: number): Row => ({
      ...{ what, unit: "ms", goal },
      value: timings["action"] ?? [],
      against: { what: name, value: timings[other] ?? [] },
    });
    const floor = ["floor", "floor"] as const;
    const template = ["usual", "usual action"] as const;
    return [
      row("server here", near, floor, GOALS.near),
      row("server here, `ca-cert`", nearByInput, floor, GOALS.near),
      row(`server ${distance}`, away, floor, GOALS.far),
      row(`server ${distance}, \`ca-cert\``, awayByInput, floor, GOALS.far),
      row("server here", near, template, GOALS.usual),
      row(`server ${distance}`, away, template, GOALS.usual),
      python
        ? row("server here", near, ["python", `pan-scm-sdk ${python.versions.sdk}`], GOALS.python)
        : { what: "against pan-scm-sdk", because: "Python, or the SDK for it, is not there" },
    ];
  } finally {
    await far.close();
  }
}

/** The action of every day, bundled as most are. @returns the bundle's path */
async function bundleUsualAction(folder: string): Promise<string> {
  const outfile = join(folder, "usual-action.cjs");
  await build({
    entryPoints: [besideThis("usual-action.ts")],
    outfile,
    ...{ bundle: true, platform: "node", target: "node24", format: "cjs", minify: true, logLevel: "warning" },
  });
  return outfile;
}

const pythonStep = (python: string, { inputs, caFile }: Stage): Step => ({
  command: [python, besideThis("python_sdk.py")],
  inputs,
  // Requests and urllib, of which it has both.
  env: { REQUESTS_CA_BUNDLE: caFile, SSL_CERT_FILE: caFile },
});

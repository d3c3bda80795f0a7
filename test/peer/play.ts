import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { mayShow, spawn } from "../support/searched-process.ts";
import type { Job, Report } from "./job.ts";
import type { Scene } from "./scenes.ts";
import type { Fields } from "./stage.ts";

/** One of the two that are compared. */
export interface Side {
  readonly command: readonly [program: string, script: string];
  /** Our names of fields in those of this side. */
  readonly nameOf: (field: string) => string;
}

/** scm-auth, from its sources. */
export const scmAuth: Side = {
  command: [process.execPath, fileURLToPath(new URL("scm-auth.ts", import.meta.url))],
  nameOf: (field) => field,
};

/** The Python SDK, by the Python that has it. */
export const pythonSdk = (python: string): Side => ({
  command: [python, fileURLToPath(new URL("pan_scm_sdk.py", import.meta.url))],
  nameOf: (field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
});

const PATIENCE = 60;
/** Seconds that are not worth a word. */
const SOON = 0.5;
const LONGEST_PHRASE = 300;

/**
 * Plays one scene with one side.
 *
 * @param caFile - the authority of the servers
 * @returns what was seen, in one line, without a secret
 */
export async function play(scene: Scene, side: Side, caFile: string): Promise<string> {
  const stage = await scene.setting();
  try {
    const fields: Fields = { ...stage.fields, ...scene.fields };
    const { act, wait = 0, ahead = 0, patience = PATIENCE } = scene;
    const named = Object.fromEntries(Object.entries(fields).map(([field, value]) => [side.nameOf(field), value]));
    const job: Job = { act, fields: named, apiUrl: stage.apiUrl, wait, ahead };
    const report = await perform(side, job, patience, scene.untrusted ? {} : trusting(caFile));
    const took = report.took - wait;
    const phrases = [...report.seen.map(short), ...stage.seen(), ...(took > SOON ? [`${took.toFixed(1)} s`] : [])];
    const secrets = { secret: [stage.fields["clientSecret"] ?? ""], token: report.tokens };
    const places = { "https://server": [stage.apiUrl], PORT: [new URL(stage.apiUrl).port] };
    return replaceAll(phrases.join("; "), { ...secrets, ...places });
  } finally {
    await stage.close();
  }
}

/** Variables by which node, Python's requests and Python's urllib trust an authority. */
const trusting = (caFile: string) => ({
  NODE_EXTRA_CA_CERTS: caFile,
  REQUESTS_CA_BUNDLE: caFile,
  SSL_CERT_FILE: caFile,
});

const TOLD = "whether a client shows it is what is compared, and told to this process alone";
const REPORTED = { "client secret": TOLD, "job secret": TOLD, password: TOLD, token: TOLD };

async function perform(side: Side, job: Job, patience: number, env: NodeJS.ProcessEnv): Promise<Report> {
  const [program, script] = side.command;
  const child = mayShow(
    spawn(program, [script], {
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: patience * 1000,
      killSignal: "SIGKILL",
    }),
    REPORTED,
  );
  child.stdin.end(JSON.stringify(job));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (last.startsWith("{")) return JSON.parse(last) as Report;
  if (child.signalCode === "SIGKILL") return { seen: [`no end within ${patience} s`], tokens: [], took: 0 };
  throw new Error(`${script} made no report of ${job.act}:\n${stderr.slice(-2000)}`);
}

/** One line, not too long. Memory addresses and ports differ each time. */
function short(phrase: string): string {
  const line = phrase
    .replace(/\s+/g, " ")
    .replace(/0x[0-9a-f]{6,}/g, "0x...")
    .replace(/localhost:\d+/g, "other-host");
  return line.length <= LONGEST_PHRASE ? line : `${line.slice(0, LONGEST_PHRASE)}..."`;
}

const replaceAll = (line: string, names: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(names).reduce(
    (said, [name, texts]) =>
      texts.filter((text) => text !== "").reduce((all, text) => all.replaceAll(text, name), said),
    line,
  );

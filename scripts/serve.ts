import { fork } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { startScmServer } from "../test/support/scm-server.ts";

/**
 * `npm run serve`: the tests' server shaped like Strata Cloud Manager's, for trying the action out. By hand it
 * runs until Ctrl-C. As a step of a workflow it goes on in a process of its own for the steps that follow, which get
 * what they need to sign in as this step's outputs; the runner ends that process with the job.
 */

/** Name of an output, and its value. */
type Outputs = Readonly<Record<string, string>>;

/** Not every runner ends what a job leaves behind. */
const LONGEST_JOB_MS = 30 * 60 * 1000;

const IN_BACKGROUND = "--in-background";

/** The CA's file goes when this process ends. */
async function serve(): Promise<Outputs> {
  const server = await startScmServer();
  const caFile = join(process.env["RUNNER_TEMP"] ?? tmpdir(), `scm-server-${server.port}-ca.pem`);
  writeFileSync(caFile, server.ca);
  process.once("exit", () => {
    rmSync(caFile, { force: true });
  });
  // Without a listener a signal ends the process with no `exit` event.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  return {
    "client-id": server.clientId,
    "client-secret": server.clientSecret,
    "tsg-id": server.tsgId,
    "token-url": server.tokenUrl,
    "api-url": server.apiUrl,
    host: new URL(server.apiUrl).host,
    "ca-file": caFile,
  };
}

/** The process that outlives the step sends its outputs as its only message. */
async function serveInBackground(): Promise<Outputs> {
  const child = fork(import.meta.filename, [IN_BACKGROUND], { detached: true, stdio: "ignore" });
  const ended = once(child, "exit").then(() => {
    throw new Error("the server ended before it listened");
  });
  const [outputs] = (await Promise.race([once(child, "message"), ended])) as [Outputs];
  child.disconnect();
  child.unref();
  return outputs;
}

const linesOf = (outputs: Outputs): string =>
  Object.entries(outputs)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

const outputFile = process.env["GITHUB_OUTPUT"];
if (process.argv.includes(IN_BACKGROUND)) {
  process.send?.(await serve());
  setTimeout(() => process.exit(), LONGEST_JOB_MS);
} else if (outputFile) {
  const outputs = await serveInBackground();
  console.log(`::add-mask::${outputs["client-secret"] ?? ""}`);
  appendFileSync(outputFile, linesOf(outputs));
} else {
  process.stdout.write(linesOf(await serve()));
}

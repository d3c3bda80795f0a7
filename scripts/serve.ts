import { fork } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { startScmServer } from "../test/support/scm-server.ts";

/**
 * `npm run serve` starts a local server that imitates Strata Cloud Manager. It has a token endpoint, a JWKS, and a
 * small API. In a terminal, it runs until it is interrupted with Ctrl-C. In a workflow step, it keeps running in a
 * background process for later steps, sets the values that they need as outputs, and exits after at most 30 minutes.
 */

const MAX_BACKGROUND_MS = 30 * 60 * 1000;
const BACKGROUND_FLAG = "--background";

type Outputs = Readonly<Record<string, string>>;

/** Starts the server in this process. Its CA certificate file is removed when the process exits. */
async function serve(): Promise<Outputs> {
  const server = await startScmServer();
  const caFile = join(process.env["RUNNER_TEMP"] ?? tmpdir(), `scm-server-${server.port}-ca.pem`);
  writeFileSync(caFile, server.ca);
  process.once("exit", () => {
    rmSync(caFile, { force: true });
  });
  // Without a listener, a signal terminates the process without emitting `exit`.
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

/** Starts the server in a process that outlives this one. The process sends its outputs as its only message. */
async function serveInBackground(): Promise<Outputs> {
  const child = fork(import.meta.filename, [BACKGROUND_FLAG], { detached: true, stdio: "ignore" });
  const exited = once(child, "exit").then(() => {
    throw new Error("The server process exited before it was ready.");
  });
  const [outputs] = (await Promise.race([once(child, "message"), exited])) as [Outputs];
  child.disconnect();
  child.unref();
  return outputs;
}

const toLines = (outputs: Outputs): string =>
  Object.entries(outputs)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

const outputFile = process.env["GITHUB_OUTPUT"];
if (process.argv.includes(BACKGROUND_FLAG)) {
  process.send?.(await serve());
  setTimeout(() => process.exit(), MAX_BACKGROUND_MS);
} else if (outputFile) {
  const outputs = await serveInBackground();
  console.log(`::add-mask::${outputs["client-secret"] ?? ""}`);
  appendFileSync(outputFile, toLines(outputs));
} else {
  process.stdout.write(toLines(await serve()));
}

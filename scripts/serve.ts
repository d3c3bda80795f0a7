import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { JWKS_PATH, TOKEN_PATH } from "../test/support/scm-auth-server.ts";
import { startScmServer, type ScmRequest, type ScmServer } from "../test/support/scm-server.ts";

/**
 * `npm run serve` starts a local server that imitates Strata Cloud Manager. It has a token endpoint, a JWKS, and a
 * small API. In a terminal, it runs until it is interrupted with Ctrl-C. It prints the values that clients need on
 * stdout, and each request on stderr. With `--env`, the values are lines for a shell and for act.
 *
 * In a workflow step, it keeps running in a background process for later steps, sets the values that they need as
 * outputs, and exits after at most 30 minutes.
 */

const MAX_BACKGROUND_MS = 30 * 60 * 1000;
const BACKGROUND_FLAG = "--background";
const ENV_FLAG = "--env";
/** The same service account can sign in to both tenants. */
const TSG_IDS = ["1234567890", "2345678901"] as const;

type Values = Readonly<Record<string, string>>;

interface Service {
  readonly server: ScmServer;
  readonly caFile: string;
}

/** Starts the server in this process. Its CA certificate file is removed when the process exits. */
async function serve(): Promise<Service> {
  const clientSecret = randomUUID();
  const onResponse = createRequestLog(clientSecret);
  const server = await startScmServer({ clientSecret, tsgIds: TSG_IDS, onResponse });
  const caFile = join(process.env["RUNNER_TEMP"] ?? tmpdir(), `scm-server-${server.port}-ca.pem`);
  writeFileSync(caFile, server.ca);
  process.once("exit", () => {
    rmSync(caFile, { force: true });
  });
  // Without a listener, a signal terminates the process without emitting `exit`.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  return { server, caFile };
}

/** Returns a function that logs requests, and the tenants of token requests, on stderr. It counts each kind. */
function createRequestLog(clientSecret: string): (request: ScmRequest) => void {
  const kinds: Values = { [TOKEN_PATH]: "token request", [JWKS_PATH]: "key request" };
  const counts = new Map<string, number>();
  return ({ method, path, status, form }) => {
    const kind = kinds[path] ?? "API request";
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const scope = form?.["scope"] === undefined ? "" : ` (${form["scope"]})`;
    // A client may send its secret in the query or the scope by mistake.
    console.error(`${kind} ${count}: ${method} ${path} ${status}${scope}`.replaceAll(clientSecret, "***"));
  };
}

/** The outputs of a workflow step. */
const toOutputs = ({ server, caFile }: Service): Values => ({
  "client-id": server.clientId,
  "client-secret": server.clientSecret,
  "tsg-id": TSG_IDS[0],
  "tsg-id-2": TSG_IDS[1],
  "token-url": server.tokenUrl,
  "api-url": server.apiUrl,
  host: new URL(server.apiUrl).host,
  "ca-file": caFile,
});

/** The variables of clients: this project, the `scm` providers, Node.js, curl, Python, and Go. */
const toVariables = ({ server, caFile }: Service): Values => ({
  SCM_CLIENT_ID: server.clientId,
  SCM_CLIENT_SECRET: server.clientSecret,
  SCM_TSG_ID: TSG_IDS[0],
  SCM_TSG_ID_2: TSG_IDS[1],
  SCM_TOKEN_URL: server.tokenUrl,
  SCM_API_URL: server.apiUrl,
  SCM_HOST: new URL(server.apiUrl).host,
  SCM_CA_FILE: caFile,
  NODE_EXTRA_CA_CERTS: caFile,
  CURL_CA_BUNDLE: caFile,
  REQUESTS_CA_BUNDLE: caFile,
  SSL_CERT_FILE: caFile,
});

/** Starts the server in a process that outlives this one. The process sends its outputs as its only message. */
async function serveInBackground(): Promise<Values> {
  const child = fork(import.meta.filename, [BACKGROUND_FLAG], { detached: true, stdio: "ignore" });
  const exited = once(child, "exit").then(() => {
    throw new Error("The server process exited before it was ready.");
  });
  const [outputs] = (await Promise.race([once(child, "message"), exited])) as [Values];
  child.disconnect();
  child.unref();
  return outputs;
}

const toLines = (values: Values): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

/** Returns lines that a POSIX shell can source, and that act can read (`--var-file`, `--secret-file`). */
const toExports = (values: Values): string =>
  Object.entries(values)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join("");

const options = process.argv.slice(2);
if (options.some((option) => option !== ENV_FLAG && option !== BACKGROUND_FLAG)) {
  console.error(`Usage: npm run --silent serve [-- ${ENV_FLAG}]`);
  process.exit(2);
}
const outputFile = process.env["GITHUB_OUTPUT"];
if (options.includes(BACKGROUND_FLAG)) {
  process.send?.(toOutputs(await serve()));
  setTimeout(() => process.exit(), MAX_BACKGROUND_MS);
} else if (outputFile) {
  const outputs = await serveInBackground();
  console.log(`::add-mask::${outputs["client-secret"] ?? ""}`);
  appendFileSync(outputFile, toLines(outputs));
} else {
  const service = await serve();
  process.stdout.write(options.includes(ENV_FLAG) ? toExports(toVariables(service)) : toLines(toOutputs(service)));
  console.error(`Ready at ${service.server.origin}. To stop the server, press Ctrl-C or run: kill ${process.pid}`);
}

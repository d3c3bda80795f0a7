import { randomUUID } from "node:crypto";
import { httpRequest } from "../../test/support/http-request.ts";
import { runAction, type ActionRun } from "../../test/support/run-action.ts";
import { startScmServer, type ScmServer } from "../../test/support/scm-server.ts";
import { showAuthFile } from "./auth-file.ts";
import { showPulumi } from "./pulumi.ts";
import { createTerminal } from "./terminal.ts";

/**
 * `npm start` shows the real action at work on this machine, without an account: it signs in to a local SCM-shaped server,
 * fails with a wrong secret, keeps an auth file fresh, and serves a Pulumi program.
 */

const TAGS_PATH = "/config/objects/v1/tags";

const terminal = createTerminal(process.stdout);

/** The checks that failed. The demo is successful only if there are none. */
type Problems = readonly string[];

async function signIn(server: ScmServer, signal: AbortSignal): Promise<Problems> {
  terminal.heading("A workflow step signs in");
  terminal.text("This is the step. The action gets its inputs as it does on GitHub.");
  terminal.quote([
    "- uses: OWNER/scm-auth@v1",
    "  id: scm",
    "  with:",
    `    client-id: ${server.clientId}`,
    "    client-secret: ${{ secrets.SCM_CLIENT_SECRET }}",
    `    tsg-id: "${server.tsgId}"`,
    `    token-url: ${server.tokenUrl}`,
    "    ca-cert: (the server's CA)",
  ]);
  const before = server.requests.length;
  const run = await runStep(server, server.clientSecret, signal);
  terminal.text("Its log. Masked values are hidden as GitHub hides them:");
  terminal.quote(run.log.split("\n"));
  const requests = server.requests.slice(before);
  terminal.text(`It took ${(run.durationMs / 1000).toFixed(2)} s and sent ${requests.length} requests:`);
  terminal.quote(requests.map(({ method, path, status }) => `${method} ${path} -> ${status}`));

  terminal.heading("Later steps use its outputs");
  const outputs = Object.entries(run.outputs).filter(([, value]) => value !== "");
  terminal.text("The token was verified. It is masked, so no log shows it.");
  terminal.quote(outputs.map(([name, value]) => `${name}: ${name === "access-token" ? hide(value) : value}`));
  const withToken = await listTags(server, run.token);
  const withoutToken = await listTags(server, undefined);
  terminal.text("One API call with the token, and one without:");
  terminal.quote([
    `GET ${TAGS_PATH}?folder=All, with "Authorization: Bearer ***"`,
    `  -> ${withToken.status} ${withToken.result}`,
    `GET ${TAGS_PATH}?folder=All`,
    `  -> ${withoutToken.status} ${withoutToken.result}`,
  ]);
  return [
    ...(run.exitCode === 0 ? [] : [`the sign-in exited with ${String(run.exitCode ?? run.signal)} instead of 0`]),
    ...(withToken.status === 200 ? [] : [`the API responded with ${withToken.status} to the token instead of 200`]),
    ...(withoutToken.status === 401 ? [] : [`the API responded with ${withoutToken.status} instead of 401`]),
  ];
}

async function signInWithWrongSecret(server: ScmServer, signal: AbortSignal): Promise<Problems> {
  terminal.heading("The same step with a wrong secret");
  terminal.text("The error says what happened, and the hint says what to do:");
  const run = await runStep(server, randomUUID(), signal);
  terminal.quote(run.log.split("\n"));
  const outputs = Object.keys(run.outputs).length;
  terminal.text(`Exit code ${String(run.exitCode)}, ${outputs} outputs: the job stops here.`);
  return [
    ...(run.exitCode === 1 ? [] : [`the wrong secret exited with ${String(run.exitCode ?? run.signal)} instead of 1`]),
    ...(outputs === 0 ? [] : ["the wrong secret produced outputs"]),
  ];
}

/** Runs the step. It fails if a secret or token is visible in anything that the step writes. */
const runStep = (server: ScmServer, secret: string, signal: AbortSignal): Promise<ActionRun> =>
  runAction({
    inputs: {
      "client-id": server.clientId,
      "client-secret": secret,
      "tsg-id": server.tsgId,
      "token-url": server.tokenUrl,
      "ca-cert": server.ca,
    },
    secrets: () => [secret, ...server.issued],
    signal,
  });

interface TagsResponse {
  readonly data?: readonly { readonly name: string; readonly color: string }[];
  readonly _errors?: readonly { readonly code: string; readonly message: string }[];
}

async function listTags({ apiUrl, ca }: ScmServer, token: string | undefined) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { status, body } = await httpRequest(`${apiUrl}${TAGS_PATH}?folder=All`, { ca, headers });
  const { data = [], _errors: errors = [] } = JSON.parse(body) as TagsResponse;
  const result = [
    ...data.map(({ name, color }) => `tag "${name}" (${color})`),
    ...errors.map(({ code, message }) => `${code} ${message}`),
  ];
  return { status, result: result.join(", ") };
}

const hide = (token: string): string => `*** (${token.length} characters)`;

async function runDemo(signal: AbortSignal): Promise<Problems> {
  terminal.text("scm-auth at work on this machine: no account, and no network beyond the local server.");
  const server = await startScmServer();
  try {
    terminal.heading("A local server shaped like Strata Cloud Manager's");
    terminal.text("It has a token endpoint and signing keys like SCM's auth server, and a small API, all over TLS.");
    terminal.quote([`auth  ${server.tokenUrl}`, `keys  ${server.jwksUrl}`, `API   ${server.apiUrl}`]);
    return [
      ...(await signIn(server, signal)),
      ...(await signInWithWrongSecret(server, signal)),
      ...(await showAuthFile(terminal, signal)),
      ...(await showPulumi(terminal, signal)),
    ];
  } finally {
    await server.close();
  }
}

const interrupted = new AbortController();
const interrupt = (): void => {
  interrupted.abort();
};
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, interrupt);
// The reader may stop early, for example `npm start | head`.
process.stdout.on("error", interrupt);

process.exitCode = 1;
try {
  const problems = await runDemo(interrupted.signal);
  if (problems.length > 0) {
    terminal.text(`Something went wrong: ${problems.join("; ")}. Please report it.`);
  } else {
    terminal.heading("Where to continue");
    terminal.text("Everything above was searched for the secret and the tokens. Nothing was found.");
    terminal.quote([
      "README.md          how to use it",
      "docs/auth-file.md  the auth file in detail",
      "docs/pulumi.md     Pulumi programs",
      "npm test           all tests",
    ]);
    process.exitCode = 0;
  }
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
}

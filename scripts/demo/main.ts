import { randomUUID } from "node:crypto";
import { httpRequest } from "../../test/support/http-request.ts";
import { runAction, type ActionRun } from "../../test/support/run-action.ts";
import { startScmServer, type ScmServer } from "../../test/support/scm-server.ts";
import { showAuthFile } from "./auth-file.ts";
import { showCommandLine } from "./command-line.ts";
import { showPulumi } from "./pulumi.ts";
import { createTerminal } from "./terminal.ts";

/**
 * `npm start` shows the real action at work on this machine, without an account. It signs in to a local server that
 * imitates SCM, fails with a wrong secret, refreshes an auth file, runs a command with `scm-auth run`, and runs a Pulumi
 * program.
 */

const TAGS_PATH = "/config/objects/v1/tags";

const terminal = createTerminal(process.stdout);

/** Descriptions of the checks that failed. The demo succeeds only if there are none. */
type Problems = readonly string[];

async function signIn(server: ScmServer, signal: AbortSignal): Promise<Problems> {
  terminal.heading("A workflow step signs in");
  terminal.text("This is the step. The action receives its inputs as it does on GitHub.");
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
  terminal.text("This is its log, with values masked as on GitHub:");
  terminal.quote(run.log.split("\n"));
  const requests = server.requests.slice(before);
  terminal.text(`It took ${(run.durationMs / 1000).toFixed(2)} s and sent ${requests.length} requests:`);
  terminal.quote(requests.map(({ method, path, status }) => `${method} ${path} -> ${status}`));

  terminal.heading("Later steps use its outputs");
  const outputs = Object.entries(run.outputs).filter(([, value]) => value !== "");
  terminal.text("The token has been verified. It is masked, so it does not appear in logs.");
  terminal.quote(outputs.map(([name, value]) => `${name}: ${name === "access-token" ? hide(value) : value}`));
  const withToken = await listTags(server, run.token);
  const withoutToken = await listTags(server, undefined);
  terminal.text("Here is one API call with the token and one without it:");
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
  terminal.text("The error says what happened, and the hint says what to do about it:");
  const run = await runStep(server, randomUUID(), signal);
  terminal.quote(run.log.split("\n"));
  const outputs = Object.keys(run.outputs).length;
  terminal.text(`The exit code is ${String(run.exitCode)}, and ${outputs} outputs are set, so the job stops here.`);
  return [
    ...(run.exitCode === 1 ? [] : [`the wrong secret exited with ${String(run.exitCode ?? run.signal)} instead of 1`]),
    ...(outputs === 0 ? [] : ["the wrong secret produced outputs"]),
  ];
}

/** Runs the step. Rejects if anything that the step writes contains a secret or a token. */
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
  terminal.text("This demo runs scm-auth on this machine. It needs no account and connects only to a local server.");
  const server = await startScmServer();
  try {
    terminal.heading("A local server that imitates Strata Cloud Manager");
    terminal.text("Like SCM, it has a token endpoint, signing keys, and a small API, all over TLS.");
    terminal.quote([`auth  ${server.tokenUrl}`, `keys  ${server.jwksUrl}`, `API   ${server.apiUrl}`]);
    return [
      ...(await signIn(server, signal)),
      ...(await signInWithWrongSecret(server, signal)),
      ...(await showAuthFile(terminal, signal)),
      // The script is for a POSIX shell.
      ...(process.platform === "win32" ? [] : await showCommandLine(terminal, signal)),
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
// The reader may close the pipe early, as in `npm start | head`.
process.stdout.on("error", interrupt);

process.exitCode = 1;
try {
  const problems = await runDemo(interrupted.signal);
  if (problems.length > 0) {
    terminal.text(`Something went wrong: ${problems.join("; ")}. Please report it.`);
  } else {
    terminal.heading("Where to continue");
    terminal.text("All output above was searched for the secret and the tokens, and none were found.");
    terminal.quote([
      "README.md             how to use it",
      "docs/auth-file.md     the auth file in detail",
      "docs/command-line.md  the command scm-auth",
      "docs/tools.md         tools that can use both",
      "docs/pulumi.md        Pulumi programs",
      "npm test              all tests",
    ]);
    process.exitCode = 0;
  }
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
}

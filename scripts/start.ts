import { randomUUID } from "node:crypto";
import { ask } from "../test/support/ask.ts";
import { runAction, type ActionRun } from "../test/support/runner.ts";
import { TAGS_PATH } from "../test/support/scm-api.ts";
import { startScmServer, type ScmRequest, type ScmServer } from "../test/support/scm-server.ts";
import { showAuthFile } from "./auth-file-chapter.ts";
import { makePage } from "./page.ts";
import { owner } from "./project.ts";
import { showPulumi } from "./pulumi-chapter.ts";

/**
 * `npm start`: the action at work on this machine alone, without an account. A server shaped like Strata Cloud
 * Manager's, the real bundle of the action, and what the reader of a workflow run would see of it.
 */

const page = makePage(process.stdout);

/** One stretch of the walk. Returns what did not go as it should. */
type Chapter = (server: ScmServer, signal: AbortSignal) => Promise<readonly string[]>;

const signIn: Chapter = async (server, signal) => {
  page.step("A workflow step signs in");
  page.say("This is the step. Its inputs reach the action as they would on GitHub.");
  page.show([
    `- uses: ${owner}/scm-auth@v1`,
    "  id: scm",
    "  with:",
    `    client-id: ${server.clientId}`,
    "    client-secret: ${{ secrets.SCM_CLIENT_SECRET }}",
    `    tsg-id: "${server.tsgId}"`,
    `    token-url: ${server.tokenUrl}`,
    "    ca-cert: (the server's authority)",
  ]);
  const before = server.requests.length;
  const run = await runStep(server, server.clientSecret, signal);
  page.say("Its log, as whoever reads the run sees it, with masked values hidden as GitHub hides them:");
  page.show(run.log.split("\n"));
  const asked = server.requests.slice(before);
  page.say(`It took ${(run.ms / 1000).toFixed(2)} s and ${asked.length} requests to the auth server:`);
  page.show(asked.map(requestLine));

  page.step("Later steps use its outputs");
  page.say("The token was proved before it was handed out. It is masked, so no log shows it.");
  page.show(
    Object.entries(run.outputs)
      .filter(([, value]) => value !== "")
      .map(([name, value]) => `${name}: ${name === "access-token" ? hide(value) : value}`),
  );
  page.say("One call to the API with it, and one without:");
  const withToken = await callApi(server, run.token);
  const without = await callApi(server, undefined);
  page.show([
    `GET ${TAGS_PATH}?folder=All, with "Authorization: Bearer ***"`,
    `  -> ${withToken.status} ${withToken.gist}`,
    `GET ${TAGS_PATH}?folder=All`,
    `  -> ${without.status} ${without.gist}`,
  ]);
  return problems([
    [run.exitCode === 0, `the sign-in ended with ${String(run.exitCode ?? run.signal)} instead of 0`],
    [run.token !== undefined, "the sign-in gave no token"],
    [withToken.status === 200, `the API answered ${withToken.status} to the token instead of 200`],
    [without.status === 401, `the API answered ${without.status} without a token instead of 401`],
  ]);
};

const signInWithWrongSecret: Chapter = async (server, signal) => {
  page.step("The same with a wrong secret");
  page.say("So that you know a failure when you see one: the log says what happened and what to do.");
  const run = await runStep(server, randomUUID(), signal);
  page.show(run.log.split("\n"));
  page.say(`Exit code ${String(run.exitCode)}, ${Object.keys(run.outputs).length} outputs: the job stops here.`);
  return problems([
    [run.exitCode === 1, `the wrong secret ended with ${String(run.exitCode ?? run.signal)} instead of 1`],
    [Object.keys(run.outputs).length === 0, "the wrong secret gave outputs"],
  ]);
};

const writeAuthFile: Chapter = (_server, signal) => showAuthFile(page, signal);

const runPulumi: Chapter = (_server, signal) => showPulumi(page, signal);

const CHAPTERS: readonly Chapter[] = [signIn, signInWithWrongSecret, writeAuthFile, runPulumi];

/** Runs the step that is shown, and looks for the secret and all tokens in everything that others could see. */
const runStep = (server: ScmServer, secret: string, signal: AbortSignal): Promise<ActionRun> =>
  runAction({
    inputs: {
      "client-id": server.clientId,
      "client-secret": secret,
      "tsg-id": server.tsgId,
      "token-url": server.tokenUrl,
      "ca-cert": server.ca,
    },
    canaries: () => [secret, ...server.issued],
    signal,
  });

/** Asks the API for its tags. `gist` is what its answer says, in a few words. */
async function callApi(server: ScmServer, token: string | undefined) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { status, body } = await ask(`${server.apiUrl}${TAGS_PATH}?folder=All`, { ca: server.ca, headers });
  const { data = [], _errors: errors = [] } = JSON.parse(body) as TagsAnswer;
  const gist = [
    ...data.map(({ name, color }) => `tag "${name}" (${color})`),
    ...errors.map(({ code, message }) => `${code} ${message}`),
  ];
  return { status, gist: gist.join(", ") };
}

/** What the API answers: a list, or errors. */
interface TagsAnswer {
  readonly data?: readonly { readonly name: string; readonly color: string }[];
  readonly _errors?: readonly { readonly code: string; readonly message: string }[];
}

const requestLine = ({ method, path, status }: ScmRequest): string => `${method} ${path} -> ${status}`;

const hide = (token: string): string => `*** (${token.length} characters)`;

const problems = (checks: readonly (readonly [right: boolean, problem: string])[]): readonly string[] =>
  checks.filter(([right]) => !right).map(([, problem]) => problem);

/** Shows everything, and gives what did not go as it should. */
async function walkThrough(signal: AbortSignal): Promise<readonly string[]> {
  page.title("scm-auth at work, on this machine alone: no account, nothing leaves it.");
  page.step("A server like Strata Cloud Manager's");
  page.say(
    "A certified OpenID provider that answers as SCM's auth server does, over TLS, beside a small fake of the API.",
  );
  const server = await startScmServer();
  try {
    page.show([`auth  ${server.tokenUrl}`, `keys  ${server.jwksUrl}`, `API   ${server.apiUrl}`]);
    const wrong: string[] = [];
    for (const chapter of CHAPTERS) {
      signal.throwIfAborted();
      wrong.push(...(await chapter(server, signal)));
    }
    return wrong;
  } finally {
    await server.close();
  }
}

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interruption.abort();
  });
}
// A reader that leaves early, as `npm start | head` does.
process.stdout.on("error", () => {
  interruption.abort();
});

// Whatever happens on the way, only a walk that came to its end is a success.
process.exitCode = 1;
try {
  const wrong = await walkThrough(interruption.signal);
  if (wrong.length === 0) {
    page.step("Where to read on");
    page.say("Secret and tokens were looked for in every log, in all encodings, and found nowhere.");
    page.show([
      "README.md          how to use it",
      "docs/auth-file.md  the auth file from end to end",
      "docs/pulumi.md     Pulumi programs",
      "docs/              network, surroundings, threats, and why",
      "npm test           all of this, and much more",
    ]);
    process.exitCode = 0;
  } else page.say(`This did not go as it should: ${wrong.join("; ")}. Please report it.`);
} catch (error) {
  if (!interruption.signal.aborted) throw error;
}

import { readFile, stat } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "../test/support/ask.ts";
import { assertNoCanary } from "../test/support/canaries.ts";
import { makeJobFolder, type JobFolder } from "../test/support/runner-environment.ts";
import { runAction, type ActionRun } from "../test/support/runner.ts";
import { TAGS_PATH } from "../test/support/scm-api.ts";
import { startScmServer, type ScmRequest, type ScmServer } from "../test/support/scm-server.ts";
import type { Page } from "./page.ts";
import { owner } from "./project.ts";

/** What of an auth file this chapter needs; the file's other fields are shown as they are. */
interface AuthFile {
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope: string;
  readonly auth_url: string;
  readonly jwt: string;
}

/** Life of the tokens here, in seconds, of which the server takes off one. SCM's live 900. */
const TTL = 6;

/**
 * The chapter about the auth file: what the step writes, one renewal of a short-lived token, what a provider gets that
 * slept meanwhile, and the post step.
 *
 * @returns what did not go as it should
 */
export async function showAuthFile(page: Page, signal: AbortSignal): Promise<readonly string[]> {
  page.step("An auth file for Terraform, OpenTofu and Pulumi");
  page.say(
    "Their scm providers read the token from a file. This is on another server, whose tokens live seconds, not 15 minutes, so that you see one end:",
  );
  const server = await startScmServer({ ttl: TTL });
  const job = await makeJobFolder();
  try {
    return await renewOnce(page, server, job, signal);
  } finally {
    // A keeper whose file is gone ends by itself.
    await job.remove();
    await server.close();
  }
}

async function renewOnce(
  page: Page,
  server: ScmServer,
  job: JobFolder,
  signal: AbortSignal,
): Promise<readonly string[]> {
  page.show([
    `- uses: ${owner}/scm-auth@v1`,
    "  with:",
    "    client-id, client-secret, tsg-id and so on, as above",
    "    auth-file: true",
  ]);
  const main = await runAction({ ...stepOf(server), job, signal });
  page.say("Its log:");
  // A long path would not fit the page.
  page.show(main.log.replaceAll(job.temp, "$RUNNER_TEMP").split("\n"));
  const path = main.outputs["auth-file"] ?? "";
  const first = await readAuthFile(path);
  assertNoCanary([first.client_secret], { "the step's log": main.log });
  const mode = ((await stat(path)).mode & 0o777).toString(8).padStart(4, "0");
  page.say(
    `The file (mode ${mode}), with the token and the job's own secret hidden. The service account's secret is not in it:`,
  );
  page.show(JSON.stringify({ ...first, client_secret: "***", jwt: "***" }, undefined, 2).split("\n"));

  const renewed = await untilTheEndOf(first.jwt, server, signal);
  const now = await readAuthFile(path);
  const [old, fresh] = [await callApi(server, first.jwt), await callApi(server, now.jwt)];
  page.say("The step has ended; its keeper, a background process, goes on. Some seconds later the token has ended:");
  page.show([
    `GET ${TAGS_PATH}, with the token of then -> ${old}`,
    `GET ${TAGS_PATH}, with the token that the file holds now -> ${fresh}`,
  ]);

  const answer = await signInAsProvider(first);
  page.say(
    "A provider that slept until now does not look into the file again: it signs in, at the address that the file named. There the keeper answers:",
  );
  page.show([
    `POST ${first.auth_url}`,
    `  -> ${answer.status} a token good for ${answer.expiresIn} s`,
    `requests of that provider to the auth server: ${server.requests.filter(isForeign).length}`,
  ]);

  const post = await runAction({ ...stepOf(server), job, signal, post: { state: main.state } });
  page.say("At the job's end the post step takes file and keeper away:");
  page.show(post.log.split("\n"));
  const isLeft = await stat(path).then(
    () => true,
    () => false,
  );
  return [
    ...faultsOf(main, post),
    ...(renewed ? [] : ["the first token did not end"]),
    ...(old === 401 && fresh === 200 ? [] : [`the API answered ${old} and ${fresh} instead of 401 and 200`]),
    ...(answer.status === 200 ? [] : [`the keeper answered ${answer.status} instead of 200`]),
    ...(isLeft ? ["the auth file stayed"] : []),
  ];
}

const faultsOf = (main: ActionRun, post: ActionRun): readonly string[] =>
  [main, post].flatMap(({ exitCode, signal }, index) =>
    exitCode === 0 ? [] : [`the ${index === 0 ? "step" : "post step"} ended with ${String(exitCode ?? signal)}`],
  );

/** Whether somebody else than the step and its keeper asked for a token. */
const isForeign = ({ method, headers }: ScmRequest): boolean =>
  method === "POST" && headers["user-agent"]?.startsWith("scm-auth/") !== true;

const stepOf = (server: ScmServer) => ({
  inputs: {
    "client-id": server.clientId,
    "client-secret": server.clientSecret,
    "tsg-id": server.tsgId,
    "token-url": server.tokenUrl,
    "ca-cert": server.ca,
    "auth-file": "true",
  },
  canaries: () => [server.clientSecret, ...server.issued],
});

const readAuthFile = async (path: string): Promise<AuthFile> => JSON.parse(await readFile(path, "utf8")) as AuthFile;

/** Waits until the API takes a token no more; false when that does not come. */
async function untilTheEndOf(token: string, server: ScmServer, signal: AbortSignal): Promise<boolean> {
  const limit = performance.now() + 2000 * TTL;
  while (performance.now() < limit) {
    if ((await callApi(server, token)) === 401) return true;
    await pause(200, undefined, { signal });
  }
  return false;
}

async function callApi({ apiUrl, ca }: ScmServer, token: string): Promise<number> {
  const url = `${apiUrl}${TAGS_PATH}?folder=All`;
  return (await ask(url, { ca, headers: { authorization: `Bearer ${token}` } })).status;
}

/** Does as the scm providers do past the end of their token. */
async function signInAsProvider({ auth_url, client_id, client_secret, scope }: AuthFile) {
  const basic = Buffer.from(`${client_id}:${client_secret}`).toString("base64");
  const response = await fetch(auth_url, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }),
  });
  const { expires_in: expiresIn } = (await response.json()) as { readonly expires_in?: number };
  return { status: response.status, expiresIn: expiresIn ?? 0 };
}

import { readFile, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { formRequest, httpRequest } from "../../test/support/http-request.ts";
import { runAction } from "../../test/support/run-action.ts";
import { createJob } from "../../test/support/runner-job.ts";
import { startScmServer, type ScmServer } from "../../test/support/scm-server.ts";
import { assertNoSecret } from "../../test/support/secrets.ts";
import type { Terminal } from "./terminal.ts";

/** The fields of an auth file that the demo uses. */
interface AuthFile {
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope: string;
  readonly auth_url: string;
  readonly jwt: string;
}

const TAGS_PATH = "/config/objects/v1/tags";
/** The token lifetime in seconds. SCM's tokens are valid for 900 seconds. */
const TTL = 6;

/**
 * Shows the file that the step writes, the refresh of a short-lived token, the token server, and the post step.
 *
 * @returns descriptions of what went wrong
 */
export async function showAuthFile(terminal: Terminal, signal: AbortSignal): Promise<readonly string[]> {
  terminal.heading("An auth file for Terraform, OpenTofu, and Pulumi");
  terminal.text(
    `Their scm providers read the token from a file. In this demo, tokens are valid for ${TTL} seconds instead of 15 minutes, so that you can see one expire:`,
  );
  const server = await startScmServer({ ttl: TTL });
  const job = await createJob();
  const step = {
    inputs: {
      "client-id": server.clientId,
      "client-secret": server.clientSecret,
      "tsg-id": server.tsgId,
      "token-url": server.tokenUrl,
      "ca-cert": server.ca,
      "auth-file": "true",
    },
    secrets: () => [server.clientSecret, ...server.issued],
    job,
    signal,
  };
  try {
    terminal.quote(["- uses: OWNER/scm-auth@v1", "  with:", "    client-id: (as above)", "    auth-file: true"]);
    const main = await runAction(step);
    terminal.text("Its log:");
    terminal.quote(main.log.replaceAll(job.temp, "$RUNNER_TEMP").split("\n"));
    const path = main.outputs["auth-file"] ?? "";
    const first = await readAuthFile(path);
    assertNoSecret({ log: main.log }, [first.client_secret]);
    const mode = ((await stat(path)).mode & 0o777).toString(8);
    terminal.text(
      `The file has mode 0${mode}. The token and the job secret are hidden here. It does not contain the account's secret:`,
    );
    terminal.quote(JSON.stringify({ ...first, client_secret: "***", jwt: "***" }, undefined, 2).split("\n"));

    const expired = await waitForExpiry(first.jwt, server, signal);
    const current = await readAuthFile(path);
    const statuses = [await callApi(server, first.jwt), await callApi(server, current.jwt)];
    terminal.text("The step has ended, but its background process keeps refreshing the token. A few seconds later:");
    terminal.quote([
      `GET ${TAGS_PATH} with the first token -> ${statuses[0]}`,
      `GET ${TAGS_PATH} with the token in the file -> ${statuses[1]}`,
    ]);
    const served = await requestServedToken(first);
    terminal.text(
      "A provider that does not reread the file signs in at the URL in it, where the token server responds:",
    );
    terminal.quote([`POST ${first.auth_url} -> ${served.status}, a token for ${served.expiresIn} s`]);

    const post = await runAction({ ...step, post: { state: main.state } });
    terminal.text("When the job ends, the post step removes the file and stops the background process:");
    terminal.quote(post.log.split("\n"));
    const isRemoved = await stat(path).then(
      () => false,
      () => true,
    );
    return [
      ...(main.exitCode === 0 && post.exitCode === 0 ? [] : ["the step or its post step failed"]),
      ...(expired ? [] : ["the first token did not expire"]),
      ...(statuses.join() === "401,200" ? [] : [`the API responded with ${statuses.join()} instead of 401,200`]),
      ...(served.status === 200 ? [] : [`the token server responded with ${served.status} instead of 200`]),
      ...(isRemoved ? [] : ["the auth file was not removed"]),
    ];
  } finally {
    // The background process exits when its file is removed.
    await job.remove();
    await server.close();
  }
}

const readAuthFile = async (path: string): Promise<AuthFile> => JSON.parse(await readFile(path, "utf8")) as AuthFile;

/** Waits until the API rejects a token. Resolves to false if it never does. */
async function waitForExpiry(token: string, server: ScmServer, signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + 2000 * TTL;
  while (performance.now() < deadline) {
    if ((await callApi(server, token)) === 401) return true;
    await delay(200, undefined, { signal });
  }
  return false;
}

async function callApi({ apiUrl, ca }: ScmServer, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await httpRequest(`${apiUrl}${TAGS_PATH}?folder=All`, { ca, headers })).status;
}

/** Signs in to the token server as the scm providers do when their token has expired. */
async function requestServedToken({ auth_url, client_id, client_secret, scope }: AuthFile) {
  const form = formRequest({ grant_type: "client_credentials", scope });
  const basic = Buffer.from(`${client_id}:${client_secret}`).toString("base64");
  const headers = { ...form.headers, authorization: `Basic ${basic}` };
  const { status, body } = await httpRequest(auth_url, { ...form, headers });
  const { expires_in: expiresIn = 0 } = JSON.parse(body) as { readonly expires_in?: number };
  return { status, expiresIn };
}

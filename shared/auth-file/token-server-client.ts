import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import * as z from "zod/mini";
import type { Milliseconds } from "../clock.ts";
import {
  parseTokenServerPort,
  SHUTDOWN_PATH,
  TOKEN_SERVER_HOST,
  TOKEN_SERVER_PATH,
  type AuthFileContent,
  type TokenServerAddress,
} from "./format.ts";
import { refreshStats, type RefreshStats } from "./refresher.ts";

/** The response of a token server. Nothing in it is verified: another program may listen on the port by now. */
export interface ServedToken {
  readonly token: string;
  /** The digest of the job that the server belongs to. */
  readonly jobId: string;
}

/** A server responds in milliseconds, or waits for a renewal. */
const TIMEOUT: Milliseconds = 3000;
const MAX_RESPONSE_BYTES = 64 * 1024;

const servedToken = z.object({
  access_token: z.string().check(z.regex(/^[\w.~+/-]+=*$/)),
  token_type: z.string().check(z.regex(/^bearer$/i)),
  job_id: z.string().check(z.maxLength(200)),
});

/**
 * Requests the token of the server that an auth file names, with the credentials of the file. Undefined if the server is
 * not running or has no token. Never throws.
 */
export async function requestServedToken(
  content: AuthFileContent,
  signal?: AbortSignal,
): Promise<ServedToken | undefined> {
  const body = new URLSearchParams({ grant_type: "client_credentials", scope: content.scope }).toString();
  const credentials = new URLSearchParams({ [content.clientId]: content.clientSecret }).toString().replace("=", ":");
  const authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const { data } = servedToken.safeParse(await post(content.authUrl, TOKEN_SERVER_PATH, authorization, body, signal));
  return data && { token: data.access_token, jobId: data.job_id };
}

/** Stops the refresher behind a token server. Undefined if it is not running. Never throws. */
export async function stopRefresher({ authUrl, clientSecret }: TokenServerAddress): Promise<RefreshStats | undefined> {
  return refreshStats.safeParse(await post(authUrl, SHUTDOWN_PATH, `Bearer ${clientSecret}`)).data;
}

/** The JSON of a response with status 200; undefined for anything else. */
async function post(
  authUrl: string,
  path: string,
  authorization: string,
  body = "",
  signal?: AbortSignal,
): Promise<unknown> {
  const port = parseTokenServerPort(authUrl);
  if (port === undefined) return undefined;
  const timeout = AbortSignal.timeout(TIMEOUT);
  // The global agent may have a proxy (NODE_USE_ENV_PROXY).
  const agent = new Agent();
  try {
    const request = httpRequest({
      ...{ agent, host: TOKEN_SERVER_HOST, port, path, method: "POST" },
      headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    request.on("error", () => undefined);
    // Status 101: without this listener, no event would be emitted, not even on abort.
    request.once("upgrade", (_, socket) => {
      socket.destroy();
      request.emit("error", new Error("unexpected status 101"));
    });
    request.end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return response.statusCode === 200 ? (JSON.parse(await readBody(response)) as unknown) : undefined;
  } catch {
    return undefined;
  } finally {
    agent.destroy();
  }
}

async function readBody(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > MAX_RESPONSE_BYTES) throw new Error("too large");
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

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

/** The response from a token server. It is not verified: another program may be listening on the port by now. */
export interface ServedToken {
  readonly token: string;
  /** A digest that identifies the job that the server belongs to. */
  readonly jobId: string;
}

/** The time limit for a request. A server responds within milliseconds unless it is waiting for a renewal. */
const TIMEOUT: Milliseconds = 3000;
const MAX_RESPONSE_BYTES = 64 * 1024;

const servedToken = z.object({
  access_token: z.string().check(z.regex(/^[\w.~+/-]+=*$/)),
  token_type: z.string().check(z.regex(/^bearer$/i)),
  job_id: z.string().check(z.maxLength(200)),
});

/**
 * Requests a token from the server that an auth file refers to, with the credentials in the file. Returns undefined if
 * the server is not running or has no token. Never throws.
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

/**
 * Stops the refresher behind a token server. Returns its statistics, or undefined if it is not running. Never throws.
 */
export async function stopRefresher({ authUrl, clientSecret }: TokenServerAddress): Promise<RefreshStats | undefined> {
  return refreshStats.safeParse(await post(authUrl, SHUTDOWN_PATH, `Bearer ${clientSecret}`)).data;
}

/** Returns the JSON body of a response with status 200, or undefined in any other case. */
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
  // The global agent may use a proxy (NODE_USE_ENV_PROXY).
  const agent = new Agent();
  try {
    const request = httpRequest({
      ...{ agent, host: TOKEN_SERVER_HOST, port, path, method: "POST" },
      headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    request.on("error", () => undefined);
    // Without this listener, a response with status 101 would emit no event, not even when the request is aborted.
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

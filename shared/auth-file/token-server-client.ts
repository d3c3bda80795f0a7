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
import type { RefreshStats } from "./refresher.ts";

/** When a request to a token server must end. */
export interface TokenServerLimits {
  readonly signal?: AbortSignal | undefined;
  /** Default: 3000. */
  readonly timeoutMs?: Milliseconds;
}

/** The response of a token server. Nothing in it is verified: another program may listen on the port by now. */
export interface ServedToken {
  readonly token: string;
  /** The digest of the job that the server belongs to. */
  readonly jobId: string;
}

const TIMEOUT: Milliseconds = 3000;
const MAX_RESPONSE_BYTES = 64 * 1024;

const servedToken = z.object({
  access_token: z.string().check(z.regex(/^[\w.~+/-]+=*$/)),
  token_type: z.string().check(z.regex(/^bearer$/i)),
  job_id: z.string().check(z.maxLength(200)),
});
const failure = z.object({ message: z.string(), hint: z.string() });
const refreshStats = z.object({
  renewals: z.int().check(z.gte(0)),
  outages: z.int().check(z.gte(0)),
  gap: z.optional(
    z.object({
      since: z.number(),
      until: z.optional(z.number()),
      failedAttempts: z.int().check(z.gte(0)),
      error: z.optional(failure),
    }),
  ),
  rejection: z.optional(failure),
});

/**
 * Requests the token of the server that an auth file names, with the credentials of the file. Undefined if the server is
 * not running or has no token. Never throws.
 */
export async function requestServedToken(
  content: AuthFileContent,
  limits: TokenServerLimits = {},
): Promise<ServedToken | undefined> {
  const body = new URLSearchParams({ grant_type: "client_credentials", scope: content.scope }).toString();
  const credentials = new URLSearchParams({ [content.clientId]: content.clientSecret }).toString().replace("=", ":");
  const authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const parsed = servedToken.safeParse(await post(content.authUrl, TOKEN_SERVER_PATH, authorization, body, limits));
  return parsed.success ? { token: parsed.data.access_token, jobId: parsed.data.job_id } : undefined;
}

/** Stops the refresher behind a token server. Undefined if it is not running. Never throws. */
export async function stopRefresher(
  { authUrl, clientSecret }: TokenServerAddress,
  limits: TokenServerLimits = {},
): Promise<RefreshStats | undefined> {
  const parsed = refreshStats.safeParse(await post(authUrl, SHUTDOWN_PATH, `Bearer ${clientSecret}`, "", limits));
  if (!parsed.success) return undefined;
  const { renewals, outages, gap, rejection } = parsed.data;
  return {
    renewals,
    outages,
    gap: gap && { ...gap, until: gap.until, error: gap.error },
    rejection,
  };
}

/** The JSON of a response with status 200; undefined for anything else. */
async function post(
  authUrl: string,
  path: string,
  authorization: string,
  body: string,
  { signal, timeoutMs = TIMEOUT }: TokenServerLimits,
): Promise<unknown> {
  const port = parseTokenServerPort(authUrl);
  if (port === undefined) return undefined;
  const timeout = AbortSignal.timeout(timeoutMs);
  // The global agent may have a proxy (NODE_USE_ENV_PROXY).
  const agent = new Agent();
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest({
        ...{ agent, host: TOKEN_SERVER_HOST, port, path, method: "POST" },
        headers: {
          authorization,
          "content-type": "application/x-www-form-urlencoded",
          "content-length": Buffer.byteLength(body),
        },
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      request.once("response", resolve);
      request.on("error", reject);
      // Status 101: without this listener, no event would be emitted, not even on abort.
      request.once("upgrade", () => {
        reject(new Error("unexpected status 101"));
      });
      request.end(body);
    });
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

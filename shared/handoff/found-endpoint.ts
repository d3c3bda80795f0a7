import { Agent, request as httpRequest } from "node:http";
import * as z from "zod/mini";
import type { Clock, Milliseconds } from "../clock.ts";
import type { AuthFileEntry, Endpoint } from "./auth-file-format.ts";
import type { KeeperCounts } from "./keep-fresh.ts";
import { pair } from "./loopback-credentials.ts";
import { LOOPBACK_ADDRESS, LOOPBACK_END_PATH, LOOPBACK_TOKEN_PATH, loopbackPort } from "./loopback-url.ts";

/** What asking may cost. */
export interface AskLimits {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For everything. Default: 3 s. */
  readonly timeLimit?: Milliseconds;
}

/** A token that a found endpoint gave, proved in nothing yet, and the digest of the job that it belongs to. */
export interface FoundToken {
  readonly token: string;
  readonly job: string;
}

const TIME_LIMIT: Milliseconds = 3000;
/** In bytes: a token is a few kilobytes. */
const LARGEST_ANSWER = 64 * 1024;

const foundToken = z.object({
  access_token: z.string().check(z.regex(/^[\w.~+/-]+=*$/)),
  token_type: z.string().check(z.regex(/^bearer$/i)),
  job: z.string().check(z.maxLength(200)),
});
const count = z.int().check(z.nonnegative());
const keeperReport = z.object({ renewals: count, outages: count, refused: z.boolean() });

/**
 * Asks the endpoint that a file of ours names for its token, with the file's own credentials. `undefined` when it
 * is dead, not one of ours, or has no token to give. Never throws.
 */
export async function askEndpoint(entry: AuthFileEntry, limits: AskLimits): Promise<FoundToken | undefined> {
  const body = new URLSearchParams({ grant_type: "client_credentials", scope: entry.scope }).toString();
  const basic = pair(encodeURIComponent(entry.clientId), encodeURIComponent(entry.clientSecret));
  const answer = await post(
    entry.authUrl,
    LOOPBACK_TOKEN_PATH,
    `Basic ${Buffer.from(basic).toString("base64")}`,
    body,
    limits,
  );
  const parsed = foundToken.safeParse(answer);
  return parsed.success ? { token: parsed.data.access_token, job: parsed.data.job } : undefined;
}

/** What a keeper says at its end. */
export interface KeeperReport extends KeeperCounts {
  /** Whether the auth server has said no, which ended the renewals. */
  readonly refused: boolean;
}

/** Tells a keeper to end, and learns what it did. `undefined` when there is none. Never throws. */
export async function endKeeper(endpoint: Endpoint, limits: AskLimits): Promise<KeeperReport | undefined> {
  const answer = await post(endpoint.authUrl, LOOPBACK_END_PATH, `Bearer ${endpoint.clientSecret}`, "", limits);
  const parsed = keeperReport.safeParse(answer);
  return parsed.success ? parsed.data : undefined;
}

/** Posts to an endpoint of exactly our form, by no proxy, and gives the JSON of a 200. */
async function post(
  authUrl: string,
  path: string,
  authorization: string,
  body: string,
  { clock, signal, timeLimit = TIME_LIMIT }: AskLimits,
): Promise<unknown> {
  const port = loopbackPort(authUrl);
  if (port === undefined) return undefined;
  const late = new AbortController();
  const callOff = clock.after(timeLimit, () => {
    late.abort();
  });
  // An agent of its own: the process-wide one may have been given a proxy (NODE_USE_ENV_PROXY).
  const agent = new Agent();
  try {
    const text = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({
        agent,
        host: LOOPBACK_ADDRESS,
        port,
        path,
        method: "POST",
        headers: {
          authorization,
          "content-type": "application/x-www-form-urlencoded",
          "content-length": Buffer.byteLength(body),
        },
        signal: AbortSignal.any([signal, late.signal]),
      });
      request.once("error", reject);
      request.once("response", (response) => {
        readWhole(response, response.statusCode).then(resolve, reject);
      });
      request.end(body);
    });
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  } finally {
    callOff();
    late.abort();
    agent.destroy();
  }
}

async function readWhole(chunks: AsyncIterable<Buffer>, status: number | undefined): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  if (status !== 200) throw new Error("no answer of the kind");
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > LARGEST_ANSWER) throw new Error("too large");
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

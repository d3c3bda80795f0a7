import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { sleep, type Clock, type Milliseconds } from "../clock.ts";
import { FIELD_NAMES, type FieldNames } from "../report/fields.ts";
import type { Endpoint } from "./auth-file-format.ts";
import type { HeldToken } from "./held-token.ts";
import type { Renewals } from "./keep-fresh.ts";
import { errorAnswer, jsonAnswer, refusalAnswer, tokenAnswer, type LoopbackAnswer } from "./loopback-answer.ts";
import { LoopbackCredentials, type KnownSecrets } from "./loopback-credentials.ts";
import {
  judgeEnd,
  judgeHead,
  judgeTokenRequest,
  LARGEST_FORM,
  tooLarge,
  type RequestHead,
} from "./loopback-request.ts";
import { LOOPBACK_ADDRESS, loopbackUrl } from "./loopback-url.ts";

/** What the endpoint serves, to whom. */
export interface LoopbackOptions extends KnownSecrets {
  /** The scope asked for, as the file tells it. */
  readonly scope: string;
  /** A digest of the run, job and attempt, for who finds the file of another one. */
  readonly job: string;
  readonly renewals: Pick<Renewals, "current" | "refusal" | "renew">;
  /** Called once, when the end is asked for; what it gives is the answer. */
  readonly onEnd: () => Promise<object>;
  readonly clock: Clock;
  /** Default: any that is free. */
  readonly port?: number;
  /** How the reader of a refusal calls the fields that its hint names. */
  readonly fieldNames?: FieldNames;
}

/** An endpoint that listens. */
export interface LoopbackEndpoint {
  readonly endpoint: Endpoint;
  readonly port: number;
  /** Resolves once it has ended, by `close` or because it was asked to. */
  readonly closed: Promise<void>;
  /** Cuts every connection and gives the port back. */
  readonly close: () => Promise<void>;
}

/** scm-go waits 30 s for an answer. */
const PATIENCE: Milliseconds = 25_000;
/** scm-go takes a minute off a token's life and then asks before every request, until it locks itself up. */
const SHORTEST_REST: Milliseconds = 90_000;
const SHORTEST_SHARE = 1 / 2;
/** A request that is not complete by then is cut. */
const REQUEST_TIME: Milliseconds = 5000;
/** Enough for any parallelism; whoever opens more must not take the process all its files. */
const MOST_CONNECTIONS = 1000;

/**
 * Serves the token on loopback to who holds the auth file, as cloud credential endpoints do (RFC 6749 section 4.4).
 *
 * @throws Error of node when the port is taken
 */
export async function openLoopbackEndpoint(options: LoopbackOptions): Promise<LoopbackEndpoint> {
  const credentials = new LoopbackCredentials(options);
  const server = createServer({
    headersTimeout: REQUEST_TIME,
    requestTimeout: REQUEST_TIME,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: 16 * 1024,
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.maxRequestsPerSocket = 1;
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  /** Resolves when whoever asked for the end has been told. */
  let lastWord: Promise<unknown> | undefined;
  const close = async (): Promise<void> => {
    server.close();
    await lastWord;
    server.closeAllConnections();
    return closed;
  };
  const port = await listen(server, options.port ?? 0);
  let ended: Promise<object> | undefined;

  const answerTo = async (request: IncomingMessage, response: ServerResponse): Promise<LoopbackAnswer> => {
    const head = headOf(request);
    const purpose = judgeHead(head, port);
    if (purpose.is === "wrong") return purpose.answer;
    const body = await readForm(request);
    if (body === undefined) return tooLarge();
    const judged =
      purpose.value === "end"
        ? judgeEnd(head, credentials)
        : judgeTokenRequest(head, body, { credentials, scope: options.scope });
    if (judged.is === "wrong") return judged.answer;
    if (purpose.value === "token") return serveToken(options, response);
    // Whoever asked may leave before the answer is there.
    const told = new Promise((resolve) => response.once("close", resolve));
    try {
      return jsonAnswer(200, await (ended ??= options.onEnd()));
    } finally {
      lastWord = told;
      void told.then(close);
    }
  };

  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    answerTo(request, response)
      .catch(() => errorAnswer(500, "server_error", "this should not happen"))
      .then(({ status, headers, body }) => response.writeHead(status, headers).end(body))
      .catch(() => response.destroy());
  });
  server.on("clientError", refuseGarbage);
  // No descriptor is left for a connection, say: the next one may find one.
  server.on("error", () => undefined);
  return { endpoint: { authUrl: loopbackUrl(port), clientSecret: options.jobSecret }, port, closed, close };
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK_ADDRESS, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

const headOf = ({ method, url, headersDistinct }: IncomingMessage): RequestHead => ({
  method: method ?? "",
  target: url ?? "",
  headers: headersDistinct,
});

/** The body; `undefined` when it is too large. Throws when it is cut. */
async function readForm(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Left undestroyed on the way out, since its connection is needed for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_FORM) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const isLongEnough = ({ life, left }: HeldToken): boolean => left() >= Math.min(SHORTEST_REST, life * SHORTEST_SHARE);

async function serveToken(
  { renewals, job, clock, fieldNames = FIELD_NAMES }: LoopbackOptions,
  response: ServerResponse,
): Promise<LoopbackAnswer> {
  if (!isLongEnough(renewals.current) && renewals.refusal === undefined) {
    const enough = new AbortController();
    const stop = (): void => {
      enough.abort();
    };
    response.once("close", stop);
    if (response.destroyed) stop();
    // What it comes to is read below.
    await Promise.race([renewals.renew(), sleep(clock, PATIENCE, enough.signal)]).catch(() => undefined);
    stop();
  }
  const { current, refusal } = renewals;
  if (isLongEnough(current)) return served(current, job);
  if (refusal) return refusalAnswer(refusal, refusal.hintWith(fieldNames));
  return errorAnswer(503, "temporarily_unavailable", NO_TOKEN_YET, { "retry-after": "1" });
}

const served = ({ token, left }: HeldToken, job: string): LoopbackAnswer =>
  tokenAnswer({ token: token.value, left: left(), scope: token.scope, job });

const NO_TOKEN_YET = "the auth server has given no new token yet; it is asked again and again.";

const GARBAGE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** What is no HTTP, or never complete, gets a bare status. Where an answer has begun, the connection is just cut. */
function refuseGarbage({ code = "" }: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && socket.bytesWritten === 0) {
    const status = GARBAGE[code] ?? "400 Bad Request";
    socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n`);
  }
  socket.destroySoon();
}

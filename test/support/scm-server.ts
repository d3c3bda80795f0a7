import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { keepSecret } from "./canaries.ts";
import { makeCertificates, type Certificates } from "./certificate.ts";
import { makeScmApi, type ApiCall } from "./scm-api.ts";
import { KEYS_PATH, makeScmProvider, makeSigningKey, TOKEN_PATH, type SigningKey } from "./scm-provider.ts";
import { SCM_ISSUER } from "./tokens.ts";

/** What a test may want different. */
export interface ScmServerOptions {
  readonly clientId?: string;
  /** Default: a version 4 UUID of this server's own. */
  readonly clientSecret?: string;
  /** TSG ids that the client may sign in to. The first one is the server's `tsgId`. */
  readonly tenants?: readonly string[];
  /** The `iss` of tokens. Default: SCM's, which is not this server's address. */
  readonly issuer?: string;
  /** Life of a token in seconds. Default: 900. */
  readonly ttl?: number;
  readonly tls?: Certificates;
  /** Signs at first. Default: a new one, which takes some 100 ms to make. */
  readonly signingKey?: SigningKey;
  /** Default: a free one. */
  readonly port?: number;
}

/** A request as the server saw it, in the order they came. */
export interface ScmRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** 0 until it is answered. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of a POST to the token endpoint. */
  readonly form?: Readonly<Record<string, string>>;
}

/** A running server, and all that a client needs to sign in to it. */
export interface ScmServer {
  /** `https://127.0.0.1:<port>`; the certificate is also for `localhost` and the names under `.test`. */
  readonly origin: string;
  readonly port: number;
  readonly tokenUrl: string;
  readonly jwksUrl: string;
  /** The origin of the fake API. */
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tsgId: string;
  /** PEM text. */
  readonly ca: string;
  readonly requests: readonly ScmRequest[];
  /** Every token given out, in order. */
  readonly issued: readonly string[];
  /** From now on signs with a new key; the former ones stay in the key set. Resolves to the new `kid`. */
  readonly rotate: () => Promise<string>;
  /** From now on the client has this secret; the former one is refused. Tokens given out live on. */
  readonly changeSecret: (secret: string) => void;
  /** Breaks off every connection and stops listening. */
  readonly close: () => Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const LOOPBACK = "127.0.0.1";

/**
 * Starts a server shaped like Strata Cloud Manager's on loopback, over TLS: the auth server, which is a certified
 * OpenID provider, and a small fake of the API, which takes that server's tokens alone.
 */
export async function startScmServer(options: ScmServerOptions = {}): Promise<ScmServer> {
  const clientId = options.clientId ?? "ci@1234567890.iam.panserviceaccount.com";
  const clientSecret = options.clientSecret ?? randomUUID();
  keepSecret("client secret", clientSecret);
  const tenants = options.tenants ?? ["1234567890"];
  const tls = options.tls ?? (await makeCertificates());
  const keys = [options.signingKey ?? (await makeSigningKey())];
  const requests: ScmRequest[] = [];
  const issued: string[] = [];
  const records = new WeakMap<IncomingMessage, Mutable<ScmRequest>>();

  const answerApi = makeScmApi();
  let secret = clientSecret;
  let authorise: Handler = refuse;
  const server = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
    const record: Mutable<ScmRequest> = {
      method: request.method ?? "",
      path: request.url ?? "",
      status: 0,
      headers: request.headers,
    };
    requests.push(record);
    records.set(request, record);
    response.on("finish", () => (record.status = response.statusCode));
    const path = record.path.split("?", 1)[0];
    if (path === TOKEN_PATH || path === KEYS_PATH) authorise(request, response);
    else void serveApi(request, response, { issued, answerApi });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, LOOPBACK, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const origin = `https://${LOOPBACK}:${port}`;

  const openWithKeys = (): void => {
    authorise = makeScmProvider({
      origin,
      clientId,
      clientSecret: secret,
      tenants,
      issuer: options.issuer ?? SCM_ISSUER,
      ttl: options.ttl ?? 900,
      keys,
      onForm: ({ req }, form) => {
        const record = records.get(req);
        if (record) record.form = form;
      },
      onToken: (token) => {
        issued.push(token);
        keepSecret("token", token);
      },
    }).callback();
  };
  openWithKeys();

  return {
    origin,
    port,
    tokenUrl: origin + TOKEN_PATH,
    jwksUrl: origin + KEYS_PATH,
    apiUrl: origin,
    clientId,
    clientSecret,
    tsgId: tenants[0] ?? "",
    ca: tls.ca,
    requests,
    issued,
    rotate: async () => {
      const key = await makeSigningKey();
      keys.unshift(key);
      openWithKeys();
      return key.kid;
    },
    changeSecret: (changed) => {
      secret = changed;
      openWithKeys();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Stands in for the moments before the provider knows its port. */
const refuse: Handler = (_request, response) => {
  response.writeHead(503).end();
};

/** What the API's part of the server works with. */
interface ApiPart {
  readonly issued: readonly string[];
  readonly answerApi: ReturnType<typeof makeScmApi>;
}

async function serveApi(
  request: IncomingMessage,
  response: ServerResponse,
  { issued, answerApi }: ApiPart,
): Promise<void> {
  const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const authorised = token !== undefined && issued.includes(token) && Date.now() / 1000 < expiryOf(token);
  const call: ApiCall = {
    method: request.method ?? "",
    target: request.url ?? "",
    body: await textOf(request),
    authorised,
  };
  const { status, body } = answerApi(call);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** What was sent; of a request that broke off, as much as came. */
async function textOf(request: IncomingMessage): Promise<string> {
  let body = "";
  try {
    for await (const chunk of request.setEncoding("utf8")) body += chunk as string;
  } catch {
    // The answer goes nowhere either.
  }
  return body;
}

/** Seconds since 1970 at which a token of this server's ends. */
function expiryOf(token: string): number {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
  return claims.exp;
}

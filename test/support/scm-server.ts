import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse as Response } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createCertificates, type Certificates } from "./certificates.ts";
import { createScmApi, createTags, type Item } from "./scm-api.ts";
import { JWKS_PATH, ScmAuthServer, TOKEN_PATH, type ServerResponse } from "./scm-auth-server.ts";
import { createSigner, SCM_ISSUER, type Signer } from "./tokens.ts";

/** Options for a server. All have defaults. */
export interface ScmServerOptions {
  readonly clientId?: string;
  /** Default: a version 4 UUID. */
  readonly clientSecret?: string;
  /** Tenants that the client can sign in to. Each has its own objects. The first one is the server's `tsgId`. */
  readonly tsgIds?: readonly string[];
  /** The `iss` claim of tokens. Default: SCM's issuer, which is not the address of this server. */
  readonly issuer?: string;
  /** Token lifetime in seconds. Default: 900. */
  readonly ttl?: number;
  readonly tls?: Certificates;
  /** The first signing key. Default: a new one, which takes about 100 ms. */
  readonly signer?: Signer;
  /** Default: a free port. */
  readonly port?: number;
  /** The addresses that the API lists. Default: none. */
  readonly addresses?: readonly Item[];
  /** Called after each response. */
  readonly onResponse?: (request: ScmRequest) => void;
}

/** A request as the server received it. */
export interface ScmRequest {
  readonly method: string;
  /** The path, including the query. */
  readonly path: string;
  /** 0 until the response is sent. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The form of a token request. */
  readonly form?: Readonly<Record<string, string>>;
}

/** A response that replaces those of an endpoint. */
export interface EndpointFailure {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** A running server, and everything that a client needs to sign in to it. */
export interface ScmServer {
  /** `https://127.0.0.1:<port>`; the certificate is also valid for `localhost` and the names under `.test`. */
  readonly origin: string;
  readonly port: number;
  readonly tokenUrl: string;
  readonly jwksUrl: string;
  /** The origin of the API. */
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tsgId: string;
  /** The CA certificate in PEM format. */
  readonly ca: string;
  /** All requests in order of arrival. */
  readonly requests: readonly ScmRequest[];
  /** All issued tokens, in order. */
  readonly issued: readonly string[];
  /** Returns the number of token requests whose User-Agent matches, regardless of the response. */
  readonly countTokenRequests: (userAgent?: RegExp) => number;
  /** Uses a new signing key from now on. The key set retains the old keys. Resolves to the new `kid`. */
  readonly rotateKeys: () => Promise<string>;
  /** Accepts only this client secret from now on. Issued tokens remain valid. */
  readonly changeSecret: (clientSecret: string) => void;
  /** Makes all token requests fail from now on. Pass undefined to stop. */
  readonly failTokenRequests: (failure: EndpointFailure | undefined) => void;
  /** Makes all JWKS requests fail from now on. Pass undefined to stop. */
  readonly failJwksRequests: (failure: EndpointFailure | undefined) => void;
  /** Delays all responses of the token endpoint by `delayMs` milliseconds from now on. */
  readonly delayTokenResponses: (delayMs: number) => void;
  /** Closes all connections and stops listening. */
  readonly close: () => Promise<void>;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const LOOPBACK = "127.0.0.1";

/** Starts a TLS server on loopback that behaves like Strata Cloud Manager's auth server and part of its API. */
export async function startScmServer(options: ScmServerOptions = {}): Promise<ScmServer> {
  const clientId = options.clientId ?? "ci@1234567890.iam.panserviceaccount.com";
  const clientSecret = options.clientSecret ?? randomUUID();
  const tsgIds = options.tsgIds ?? ["1234567890"];
  const tls = options.tls ?? createCertificates();
  const { issuer = SCM_ISSUER, ttl = 900, signer = await createSigner() } = options;
  const auth = new ScmAuthServer({ clientId, clientSecret, tsgIds, issuer, ttl, signer });
  const apis = new Map(
    tsgIds.map((tsgId, index) => [
      `tsg_id:${tsgId}`,
      createScmApi(options.addresses, index === 0 ? undefined : createTags(tsgId)),
    ]),
  );
  const [defaultApi = createScmApi()] = apis.values();
  const requests: ScmRequest[] = [];
  let failure: EndpointFailure | undefined;
  let jwksFailure: EndpointFailure | undefined;
  let tokenDelay = 0;

  const respond = async (record: Mutable<ScmRequest>, body: string): Promise<ServerResponse> => {
    const { method, path, headers } = record;
    if (path === JWKS_PATH && method === "GET") return jwksFailure ? { body: {}, ...jwksFailure } : auth.getJwks();
    if (path === TOKEN_PATH && method === "POST") {
      const form = new URLSearchParams(body);
      record.form = Object.fromEntries([...form.keys()].map((name) => [name, form.getAll(name).join()]));
      const response = failure ? { body: {}, ...failure } : undefined;
      await delay(tokenDelay, undefined, { ref: false });
      return response ?? auth.requestToken(form, headers);
    }
    const scope = auth.findScope(/^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1] ?? "");
    const api = scope?.map((token) => apis.get(token)).find((found) => found !== undefined) ?? defaultApi;
    return api({ method, target: path, body, authorized: scope !== undefined });
  };
  const serve = async (request: IncomingMessage, response: Response): Promise<void> => {
    const { method = "", url: path = "", headers } = request;
    const record: Mutable<ScmRequest> = { method, path, status: 0, headers };
    requests.push(record);
    response.on("finish", () => {
      record.status = response.statusCode;
      options.onResponse?.(record);
    });
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk as string;
    const { status, headers: more, body } = await respond(record, text);
    response.writeHead(status, { "content-type": "application/json", ...more }).end(JSON.stringify(body));
  };
  const server = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
    // The client has closed the connection.
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, LOOPBACK, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const origin = `https://${LOOPBACK}:${port}`;

  return {
    origin,
    port,
    tokenUrl: origin + TOKEN_PATH,
    jwksUrl: origin + JWKS_PATH,
    apiUrl: origin,
    clientId,
    clientSecret,
    tsgId: tsgIds[0] ?? "",
    ca: tls.ca,
    requests,
    get issued() {
      return auth.issued;
    },
    countTokenRequests: (userAgent = /^/) =>
      requests.filter(
        ({ method, path, headers }) =>
          method === "POST" && path === TOKEN_PATH && userAgent.test(headers["user-agent"] ?? ""),
      ).length,
    rotateKeys: () => auth.rotateKeys(),
    changeSecret: (secret) => {
      auth.changeSecret(secret);
    },
    failTokenRequests: (changed) => (failure = changed),
    failJwksRequests: (changed) => (jwksFailure = changed),
    delayTokenResponses: (delayMs) => (tokenDelay = delayMs),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

import assert from "node:assert/strict";
import dns from "node:dns";
import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TestContext } from "node:test";
import { systemClock } from "../../../shared/clock.ts";
import { AuthError } from "../../../shared/errors.ts";
import type { RequestContext } from "../../../shared/http/request-context.ts";
import { sendRequest, type AttemptOptions, type HttpRequest } from "../../../shared/http/request.ts";
import { Redactor } from "../../../shared/redact.ts";
import { startScriptedServer, type ScriptedResponse, type ScriptedServer } from "../../support/scripted-server.ts";
import type { Certificates } from "../../support/certificates.ts";
import { setVariables } from "../../support/variables.ts";

/** Returns a context without retries. */
export const createContext = (changes: Partial<RequestContext> = {}): RequestContext => ({
  clock: systemClock,
  random: Math.random,
  policy: { maxRetries: 0, backoff: 0, spreadOnOverload: false },
  userAgent: "test/1",
  secureContext: undefined,
  redactor: new Redactor(),
  onEvent: () => undefined,
  ...changes,
});

/** A request and the options with which it is sent. */
export interface Attempt extends Partial<AttemptOptions>, Partial<Pick<HttpRequest, "method" | "headers" | "body">> {
  readonly secureContext?: RequestContext["secureContext"];
}

/** Sends one request with a default timeout of 5 s. */
export function send(url: string, { method = "GET", headers = {}, body, secureContext, ...options }: Attempt = {}) {
  const request = { method, headers, url: new URL(url), ...(body !== undefined && { body }) };
  return sendRequest(request, createContext({ secureContext }), { timeoutMs: 5000, ...options });
}

/** Returns the error with which a request fails. */
export async function getError(work: Promise<unknown>): Promise<AuthError> {
  const outcome = await work.then(
    () => "a response",
    (error: unknown) => error,
  );
  assert.ok(AuthError.isAuthError(outcome), String(outcome));
  return outcome;
}

/** Starts a server that sends the same response to all requests. */
export async function serve(t: TestContext, response: ScriptedResponse, tls?: Certificates): Promise<ScriptedServer> {
  const server = await startScriptedServer({ token: response, jwks: response, ...(tls && { tls }) });
  t.after(server.close);
  return server;
}

/** Makes a server listen until the test ends, and returns its port. */
export async function listen(
  t: Pick<TestContext, "after">,
  server: Server,
  host = "127.0.0.1",
  port = 0,
): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
  });
  server.listen(port, host);
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/**
 * Mocks DNS until the test ends, and returns the mock. Each lookup returns addresses or an error code after `delayMs`;
 * without a result, not before the test ends.
 */
export function mockDns(t: TestContext, result: readonly string[] | string | undefined, delayMs = 0) {
  const lookup = (_host: string, _options: unknown, callback: (error: unknown, addresses?: unknown) => void): void => {
    if (result === undefined) {
      t.after(() => {
        callback(Object.assign(new Error("getaddrinfo"), { code: "EAI_AGAIN" }));
      });
      return;
    }
    const error = typeof result === "string" ? Object.assign(new Error("getaddrinfo"), { code: result }) : null;
    const addresses = typeof result === "string" ? [] : result;
    setTimeout(() => {
      callback(
        error,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    }, delayMs);
  };
  return t.mock.method(dns, "lookup", lookup as typeof dns.lookup).mock;
}

/** Unsets all proxy variables except the given ones until the test ends. */
export function setProxyVariables(t: TestContext, variables: Readonly<Record<string, string>> = {}): void {
  const names = ["https_proxy", "http_proxy", "all_proxy", "no_proxy"];
  const unset = Object.fromEntries(
    [...names, ...names.map((name) => name.toUpperCase())].map((name) => [name, undefined]),
  );
  setVariables(t, { ...unset, ...variables });
}

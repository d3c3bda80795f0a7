import http from "node:http";
import { isIP, type Socket } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import type { Milliseconds } from "../../shared/clock.ts";
import { connectionError } from "../../shared/http/connection-error.ts";
import { proxyAnswered, proxyUnreachable, proxyUntrusted } from "../../shared/http/proxy.ts";
import { socketHost } from "../../shared/http/socket-host.ts";
import { AuthError, errorCode } from "../../shared/report/errors.ts";
import { timeSpan } from "../../shared/report/time-span.ts";
import { phrase, type Phrase } from "./phrase.ts";
import { addressOf, type Way } from "./way.ts";

/** Speaks TLS to the server, and tells whose certificate it shows, trusted or not. @throws AuthError */
export async function secure(way: Way, socket: Socket, url: URL, find: (found: Phrase) => void): Promise<void> {
  const late = (limit: Milliseconds): AuthError =>
    new AuthError(`${url.host} took the connection and did not answer the TLS handshake within ${timeSpan(limit)}.`, {
      kind: "timeout",
      code: "connect_timeout",
      requestSent: false,
    });
  await shakeHands(way, socket, {
    url,
    find,
    late,
    meaning: (error) => connectionError(error, "connecting", url.host),
  });
}

/** Speaks TLS to a proxy that wants it. @throws AuthError */
export const secureProxy = (way: Way, socket: Socket, proxy: URL): Promise<TLSSocket> =>
  shakeHands(way, socket, {
    url: proxy,
    find: () => undefined,
    late: () => noTunnel({ code: "ETIMEDOUT" }),
    meaning: (error) => {
      const { code } = connectionError(error, "connecting", proxy.host);
      return code === "untrusted_certificate" ? proxyUntrusted(error) : noTunnel(error);
    },
  });

/** The proxy can't be reached, or breaks off. */
export const noTunnel = (error: unknown): AuthError => proxyUnreachable(errorCode(error) ?? "no connection", error);

interface Handshake {
  readonly url: URL;
  readonly find: (found: Phrase) => void;
  readonly late: (limit: Milliseconds) => AuthError;
  readonly meaning: (error: unknown) => AuthError;
}

function shakeHands(way: Way, socket: Socket, { url, find, late, meaning }: Handshake): Promise<TLSSocket> {
  const { secureContext } = way.options;
  const host = socketHost(url.hostname);
  return way.wait<TLSSocket>(late, meaning, (done, fail) => {
    const secured = way.keep(
      tls.connect({
        socket,
        host,
        ...(isIP(host) === 0 && { servername: host }),
        ...(secureContext && { secureContext }),
        rejectUnauthorized: true,
        // As node's https asks for it: what stands in between may look at it.
        ALPNProtocols: ["http/1.1"],
      }),
    );
    // Before node judges: a certificate that it refuses is gone with the connection, and its issuer tells who is at work.
    secured.prependOnceListener("secure", () => {
      find(certificateOf(secured));
    });
    secured.once("secureConnect", () => {
      done(secured);
    });
    secured.once("error", fail);
  });
}

function certificateOf(socket: TLSSocket): Phrase {
  const version = phrase`${socket.getProtocol() ?? "TLS"}`;
  const { issuer, valid_to } = socket.getPeerCertificate() as { issuer?: Record<string, unknown>; valid_to?: string };
  if (!issuer) return phrase`${version}, no certificate seen`;
  const names = ["O", "CN"].map((name) => issuer[name]).filter((name) => name !== undefined);
  const end = new Date(valid_to ?? "");
  const until = Number.isNaN(end.getTime()) ? phrase`` : phrase`, good until ${end.toISOString().slice(0, 10)}`;
  return phrase`${version}, certificate issued by ${names.map(String).join(", ")}${until}`;
}

/**
 * Asks a proxy for a tunnel (RFC 9110 section 9.3.6), with the user and password that its variable holds.
 *
 * @throws AuthError
 */
export function askForTunnel(way: Way, socket: Socket, proxy: URL, url: URL): Promise<undefined> {
  const path = addressOf(url);
  // As the HTTP client writes it, so that a proxy answers the same.
  const credentials = Buffer.from(`${proxy.username}:${proxy.password}`).toString("base64");
  const headers = {
    host: path,
    ...((proxy.username || proxy.password) && { "proxy-authorization": `Basic ${credentials}` }),
  };
  return way.wait<undefined>(
    () => noTunnel({ code: "ETIMEDOUT" }),
    noTunnel,
    (done, fail) => {
      const request = http.request({ method: "CONNECT", path, headers, createConnection: () => socket });
      request.once("connect", ({ statusCode = 0 }) => {
        if (statusCode === 200) done(undefined);
        else fail(proxyAnswered(statusCode, url.host));
      });
      request.once("error", fail);
      request.end();
    },
  );
}

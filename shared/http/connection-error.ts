import type { Milliseconds } from "../clock.ts";
import { AuthError, errorCode, type AuthErrorCode } from "../report/errors.ts";
import { timeSpan } from "../report/time-span.ts";
import { proxyFailure } from "./proxy.ts";

/** How far a request has come: it has no connection yet, no answer yet, or not the whole of it. */
export type Phase = "connecting" | "waiting" | "reading";

/** The time was up, in this phase. */
export function timeoutError(phase: Phase, host: string, limit: Milliseconds): AuthError {
  const what = {
    connecting: `no connection to ${host} within ${timeSpan(limit)}.`,
    waiting: `${host} took the request and gave no answer within ${timeSpan(limit)}.`,
    reading: `${host} began to answer and fell silent; the answer was not complete after ${timeSpan(limit)}.`,
  }[phase];
  const code = ({ connecting: "connect_timeout", waiting: "no_answer", reading: "body_cut" } as const)[phase];
  return new AuthError(what, { kind: "timeout", code, requestSent: phase !== "connecting" });
}

/** Verdicts on the server's certificate; what the server says of ours begins with ERR_SSL. */
const CERTIFICATE_CODE = /^(?!ERR_SSL).*CERT|^UNABLE_TO_|SELF_SIGNED|^INVALID_(CA|PURPOSE)|^PATH_LENGTH/;
const CLOCK_CODE = /^CERT_(NOT_YET_VALID|HAS_EXPIRED)/;

/**
 * What it means that a request failed in this phase.
 *
 * @throws `error` itself when it is no fault of the network
 */
export function connectionError(error: unknown, phase: Phase, host: string): AuthError {
  const fromProxy = proxyFailure(error, host);
  if (fromProxy) return fromProxy;
  const code = errorCode(error) ?? "";
  // A fault of our own is no fault of the network, and no repeat mends it.
  if (code === "" || error instanceof TypeError) throw error;
  const failure = (what: string, ours: AuthErrorCode, hint?: string): AuthError =>
    new AuthError(what, {
      kind: "network",
      code: ours,
      requestSent: phase !== "connecting",
      cause: error,
      ...(hint !== undefined && { hint }),
    });
  if (code === "ENOTFOUND") return failure(`the host ${host} is unknown (ENOTFOUND).`, "unknown_host");
  if (code === "EAI_AGAIN")
    return failure(`the name server did not tell the address of ${host} (EAI_AGAIN).`, "dns_unavailable");
  if (code === "ECONNREFUSED") return failure(`${host} refused the connection (ECONNREFUSED).`, "connection_refused");
  if (phase === "connecting" && CERTIFICATE_CODE.test(code)) {
    return failure(
      `the certificate of ${host} is not trusted (${code}).`,
      "untrusted_certificate",
      CLOCK_CODE.test(code)
        ? "No secret was sent. Check this machine's clock first, then the server's certificate."
        : undefined,
    );
  }
  if (phase === "connecting" && /^ERR_SSL|^EPROTO/.test(code))
    return failure(`the TLS handshake with ${host} failed (${code}).`, "tls_failed");
  if (phase === "reading") return failure(`the answer of ${host} was cut off before its end.`, "body_cut");
  return failure(`the connection to ${host} broke (${code}).`, "connection_failed");
}

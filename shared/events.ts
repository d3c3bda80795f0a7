import type { Milliseconds } from "./clock.ts";
import type { AuthError } from "./errors.ts";

/** Which request an event is about: the token endpoint, the JSON Web Key Set, or the SCM API. */
export type RequestName = "token" | "jwks" | "api";

/** What happens during a sign-in or an API call. No event contains a secret. */
export type AuthEvent =
  | {
      /** An attempt starts. */
      readonly type: "request";
      readonly request: RequestName;
      readonly method: string;
      /** Without query. */
      readonly url: string;
      /** The number of this attempt, from 1. */
      readonly attempt: number;
      readonly maxAttempts: number;
    }
  | {
      /** A step of the connection is complete. Not sent for a connection that is reused. */
      readonly type: "connection";
      readonly request: RequestName;
      readonly step: "dns" | "tcp" | "proxy" | "tls";
      /** The time since the step before, or since the attempt started. */
      readonly durationMs: Milliseconds;
      /** Addresses (dns), `host:port` (tcp, proxy), or protocol and issuer of the certificate (tls). */
      readonly detail: string;
    }
  | {
      /** A complete response arrived. */
      readonly type: "response";
      readonly request: RequestName;
      readonly status: number;
      readonly attempt: number;
      /** From the start of the attempt to the last byte of the response. */
      readonly durationMs: Milliseconds;
      /** The server's clock (`Date` header) minus ours; undefined without that header. */
      readonly clockOffsetMs: Milliseconds | undefined;
    }
  | {
      /** An attempt failed and the next one starts after `delayMs`. */
      readonly type: "retry";
      readonly request: RequestName;
      readonly delayMs: Milliseconds;
      /** The number of the attempt that failed, from 1. */
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly error: AuthError;
    }
  | {
      /** A new token is available. */
      readonly type: "token";
      /** The granted scope, separated by spaces. */
      readonly scope: string;
      /** Undefined if neither the token nor the server says. */
      readonly expiresAt: Date | undefined;
    }
  | {
      /** A sign-in failed. Callers who wait get the same error; for a refresh in the background this is the only report. */
      readonly type: "error";
      readonly error: AuthError;
    };

/** Receives events. Exceptions and rejections of a listener are ignored. */
export type AuthEventListener = (event: AuthEvent) => void;

/** Wraps a listener so that its exceptions and rejections are ignored. */
export function safeListener(listener: AuthEventListener | undefined): AuthEventListener {
  return (event) => {
    try {
      void Promise.resolve(listener?.(event)).catch(() => undefined);
    } catch {
      // The caller's bug must not break the sign-in.
    }
  };
}

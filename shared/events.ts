import type { Milliseconds } from "./clock.ts";
import type { AuthError } from "./errors.ts";

/** The target of the request that an event reports: the token endpoint, the JSON Web Key Set, or the SCM API. */
export type RequestName = "token" | "jwks" | "api";

/** Something that happened during a sign-in or an API call. No event contains a secret. */
export type AuthEvent =
  | {
      /** Emitted when an attempt starts. */
      readonly type: "request";
      readonly request: RequestName;
      readonly method: string;
      /** The URL without its query string. */
      readonly url: string;
      /** The number of this attempt, starting at 1. */
      readonly attempt: number;
      readonly maxAttempts: number;
    }
  | {
      /** Emitted when a step of opening a connection is complete. Not emitted for a reused connection. */
      readonly type: "connection";
      readonly request: RequestName;
      readonly step: "dns" | "tcp" | "proxy" | "tls";
      /** The time since the previous step, or since the start of the attempt. */
      readonly durationMs: Milliseconds;
      /** The addresses (dns), `host:port` (tcp, proxy), or the protocol and the issuer of the certificate (tls). */
      readonly detail: string;
    }
  | {
      /** Emitted when a complete response has arrived. */
      readonly type: "response";
      readonly request: RequestName;
      readonly status: number;
      readonly attempt: number;
      /** The time from the start of the attempt to the last byte of the response. */
      readonly durationMs: Milliseconds;
      /** The server's clock (`Date` header) minus the local clock; undefined if the header is missing. */
      readonly clockOffsetMs: Milliseconds | undefined;
    }
  | {
      /** Emitted when an attempt has failed and the next one starts after `delayMs`. */
      readonly type: "retry";
      readonly request: RequestName;
      readonly delayMs: Milliseconds;
      /** The number of the failed attempt, starting at 1. */
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly error: AuthError;
    }
  | {
      /** Emitted when a new token is available. */
      readonly type: "token";
      /** The granted scope-tokens, separated by spaces. */
      readonly scope: string;
      /** The expiration time; undefined if neither the token nor the server specifies it. */
      readonly expiresAt: Date | undefined;
    }
  | {
      /**
       * Emitted when a sign-in fails. Waiting callers receive the same error. For a background refresh, this event is
       * the only report.
       */
      readonly type: "error";
      readonly error: AuthError;
    };

/** Receives events. Exceptions that a listener throws and promises that it rejects are ignored. */
export type AuthEventListener = (event: AuthEvent) => void;

/** Wraps a listener so that its exceptions and rejections are ignored. */
export function safeListener(listener: AuthEventListener | undefined): AuthEventListener {
  return (event) => {
    try {
      void Promise.resolve(listener?.(event)).catch(() => undefined);
    } catch {
      // A bug in the caller's listener must not break the sign-in.
    }
  };
}

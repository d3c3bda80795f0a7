import type { Milliseconds } from "../clock.ts";
import type { AuthError } from "./errors.ts";

/** The requests of a sign-in. */
export type RequestName = "token request" | "request for the signing keys";

/** What a sign-in tells while it runs. No event holds a secret. */
export type AuthEvent =
  | {
      /** A try failed and the next begins after `wait`. */
      readonly type: "wait";
      readonly request: RequestName;
      readonly wait: Milliseconds;
      /** Tries made so far, and permitted in all. */
      readonly tries: number;
      readonly of: number;
      /** Why the last try failed. */
      readonly error: AuthError;
    }
  | {
      /** A request was answered. */
      readonly type: "answer";
      readonly request: RequestName;
      readonly status: number;
      readonly took: Milliseconds;
    };

/** Hears of events. */
export type OnEvent = (event: AuthEvent) => void;

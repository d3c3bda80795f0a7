import type { Milliseconds } from "../clock.ts";
import type { AuthError } from "./errors.ts";

/** The requests of a sign-in. */
export type RequestName = "token request" | "request for the signing keys" | "call to the SCM API";

/** What a sign-in tells while it runs. No event holds a secret. */
export type AuthEvent =
  | {
      /** A try failed and the next begins after `wait`. */
      readonly type: "wait";
      readonly level: "debug";
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
      readonly level: "debug";
      readonly request: RequestName;
      readonly status: number;
      /** From sending to the last byte of the answer. */
      readonly took: Milliseconds;
    }
  | {
      /** There is a new token, proved. */
      readonly type: "token";
      readonly level: "debug";
      /** What it grants, words separated by spaces. */
      readonly scope: string;
      /** Its end; undefined when neither it nor its server says. */
      readonly expiresAt: Date | undefined;
    }
  | {
      /** A sign-in failed. Who waits for it gets the same error; behind callers' backs this is all that tells of it. */
      readonly type: "failure";
      readonly level: "error";
      readonly error: AuthError;
    };

/** Hears of events. */
export type OnEvent = (event: AuthEvent) => void;

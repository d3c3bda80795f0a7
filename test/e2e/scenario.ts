import type { Socket } from "node:net";
import type { Certificates } from "../support/certificates.ts";
import type { ChaosProxy, Faults } from "../support/chaos-proxy.ts";
import type { ConnectProxy, ConnectProxyOptions } from "../support/connect-proxy.ts";
import type { ActionRun } from "../support/run-action.ts";
import type { WorkflowEvent } from "../support/runner-job.ts";
import type { Script, ScriptedServer } from "../support/scripted-server.ts";

/** Values by name. Undefined removes a variable. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The behavior of the scripted server. Default: it issues valid tokens. */
export interface ServerOptions {
  readonly token?: Script;
  readonly jwks?: Script;
  readonly tls?: Certificates;
}

/** Options for a proxy that connects every host to the server. */
export interface ProxyOptions extends Partial<ConnectProxyOptions> {
  /** The environment variable. Default: `https_proxy`. */
  readonly variable?: string;
  /** The value of the variable. Default: the URL of the proxy. */
  readonly value?: (proxy: ConnectProxy) => string;
  /** The number of CONNECT requests to which the proxy first responds 502. */
  readonly failures?: number;
}

/** The servers and files of one scenario. */
export interface Harness {
  readonly server: ScriptedServer;
  /** Another server. By default, the scenario fails if this server receives a request. */
  readonly other: ScriptedServer;
  readonly proxy: ConnectProxy | undefined;
  readonly chaos: ChaosProxy | undefined;
  /** The origin of the token URL: that of the server, or of the proxy in front of it. */
  readonly origin: string;
  /** Returns the path of a file in the scenario's directory. */
  readonly file: (name: string) => string;
  /** All `access_token` values that the servers sent, in order. */
  readonly issued: readonly string[];
}

/** A value, or a function that returns a value for a harness. */
export type ForHarness<T> = T | ((harness: Harness) => T);

/** One run of the action's bundle, and its expected result. */
export interface Scenario {
  /** What the action does, for example "rejects a token with crit: null". */
  readonly name: string;
  /** Inputs to add to the client ID, the secret, the tenant, the token URL, one retry, and a timeout of 5 s. */
  readonly inputs?: ForHarness<Variables>;
  readonly env?: ForHarness<Variables>;
  readonly event?: WorkflowEvent;
  readonly debug?: true;
  readonly closeStdout?: true;
  readonly server?: ForHarness<ServerOptions>;
  readonly other?: ServerOptions;
  /** Faults between the action and the server. */
  readonly chaos?: Faults | ((n: number) => Faults);
  /** Handles connections instead of the server. */
  readonly raw?: (socket: Socket) => void;
  readonly proxy?: ProxyOptions;
  /** Another loopback address. Packets to the server's port on this address are dropped. */
  readonly silentAddress?: string;
  /** The text of files to create, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Values that must not be visible, in addition to the client secret and the tokens. */
  readonly secrets?: readonly string[];
  /** Allows Node to write to stderr. */
  readonly allowStderr?: true;
  /** Platforms on which the scenario cannot run. */
  readonly skipOn?: readonly NodeJS.Platform[];
  readonly expect: Expected;
}

/** A number, or a range if the number depends on timing. */
export type Count = number | readonly [min: number, max: number];
export type Pattern = string | RegExp;

/** The number of requests that arrive at the servers. */
export interface RequestCounts {
  readonly token: Count;
  readonly jwks: Count;
  /** Requests to the other server. Default: 0. */
  readonly other?: Count;
}

export interface Expected {
  /**
   * `success` means exit code 0 and the most recently issued token. `failure` means exit code 1 and no outputs.
   * Otherwise, the signal that terminates the process.
   */
  readonly outcome: "success" | "failure" | NodeJS.Signals;
  readonly requests: RequestCounts;
  /** Patterns for the message and hint of each error annotation. Default: none. */
  readonly errors?: readonly Pattern[];
  /** Patterns for all other annotations. Default: none. */
  readonly warnings?: readonly Pattern[];
  /** Outputs that differ from the token's claims, or `none` if the runner finds no outputs. */
  readonly outputs?: Readonly<Record<string, string>> | "none";
  /** Patterns that the log must match. */
  readonly log?: readonly Pattern[];
  /** Texts that the log must not contain, regardless of case. */
  readonly notInLog?: readonly string[];
  /** Maximum duration of the process, in milliseconds. */
  readonly maxMs?: number;
  /** Further assertions. */
  readonly check?: (run: ActionRun, harness: Harness) => void;
}

export const NO_REQUESTS: RequestCounts = { token: 0, jwks: 0 };
/** The token request fails permanently, possibly before the JWKS request arrives. */
export const ONE_ATTEMPT: RequestCounts = { token: 1, jwks: [0, 1] };
/** The token request is retried once, which is the maximum. */
export const TWO_ATTEMPTS: RequestCounts = { token: 2, jwks: [0, 2] };
/** Both requests succeed. */
export const BOTH_REQUESTS: RequestCounts = { token: 1, jwks: 1 };
/** The signing key is not found, so the key set is requested again. */
export const JWKS_AGAIN: RequestCounts = { token: 1, jwks: [2, 20] };

type Details = Omit<Expected, "outcome" | "requests" | "errors"> & { readonly requests?: Partial<RequestCounts> };

/** Expects success, by default with one token request and one JWKS request. */
export const succeeds = (details: Details = {}): Expected => ({
  ...details,
  outcome: "success",
  requests: { ...BOTH_REQUESTS, ...details.requests },
});

/** Expects failure with one error annotation. */
export const fails = (error: Pattern, requests: RequestCounts, details: Details = {}): Expected => ({
  ...details,
  outcome: "failure",
  errors: [error],
  requests: { ...requests, ...details.requests },
});

/** Expects failure before any request. */
export const rejectsInputs = (...errors: readonly Pattern[]): Expected => ({
  outcome: "failure",
  errors,
  requests: NO_REQUESTS,
});

import type { Socket } from "node:net";
import type { Certificates } from "../support/certificates.ts";
import type { ChaosProxy, Faults } from "../support/chaos-proxy.ts";
import type { ConnectProxy, ConnectProxyOptions } from "../support/connect-proxy.ts";
import type { ActionRun } from "../support/run-action.ts";
import type { WorkflowEvent } from "../support/runner-job.ts";
import type { Script, ScriptedServer } from "../support/scripted-server.ts";

/** Strings by name; undefined removes one. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The behavior of the scripted server. Default: it issues valid tokens. */
export interface ServerOptions {
  readonly token?: Script;
  readonly jwks?: Script;
  readonly tls?: Certificates;
}

/** A proxy, which connects every host to the server. */
export interface ProxyOptions extends Partial<ConnectProxyOptions> {
  /** The environment variable. Default: `https_proxy`. */
  readonly variable?: string;
  /** The value of the variable. Default: the URL of the proxy. */
  readonly value?: (proxy: ConnectProxy) => string;
  /** Responds to so many CONNECT requests with 502 at first. */
  readonly failures?: number;
}

/** What was started for one scenario. */
export interface Harness {
  readonly server: ScriptedServer;
  /** Another server. By default a scenario fails if it receives a request. */
  readonly other: ScriptedServer;
  readonly proxy: ConnectProxy | undefined;
  readonly chaos: ChaosProxy | undefined;
  /** The origin of the token URL: the server, or what is in front of it. */
  readonly origin: string;
  /** The path of a file in the directory of this scenario. */
  readonly file: (name: string) => string;
  /** Each `access_token` that a server sent, in order. */
  readonly issued: readonly string[];
}

/** A value, or a function that returns it for a harness. */
export type ForHarness<T> = T | ((harness: Harness) => T);

/** One run of the action's bundle, and what must come of it. */
export interface Scenario {
  /** A sentence about the action: "rejects a token with crit: null". */
  readonly name: string;
  /** Added to client ID, secret, tenant, token URL, one retry and a timeout of 5 s. */
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
  /** Another loopback address, where the port of the server drops packets. */
  readonly silentAddress?: string;
  /** Files to create, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** What must not be visible besides the client secret and the tokens. */
  readonly secrets?: readonly string[];
  /** Allows output of Node itself on stderr. */
  readonly allowStderr?: true;
  /** Platforms on which the scenario cannot be arranged. */
  readonly skipOn?: readonly NodeJS.Platform[];
  readonly expect: Expected;
}

/** A number, or a range where timing decides. */
export type Count = number | readonly [min: number, max: number];
export type Pattern = string | RegExp;

/** The number of requests that arrive. */
export interface RequestCounts {
  readonly token: Count;
  readonly jwks: Count;
  /** At the other server. Default: 0. */
  readonly other?: Count;
}

export interface Expected {
  /** `success`: exit code 0 and the last token issued. `failure`: exit code 1 and no outputs. Or the signal that ends it. */
  readonly outcome: "success" | "failure" | NodeJS.Signals;
  readonly requests: RequestCounts;
  /** All error annotations: message and hint. Default: none. */
  readonly errors?: readonly Pattern[];
  /** All other annotations. Default: none. */
  readonly warnings?: readonly Pattern[];
  /** Outputs that differ from the claims of the token; or the runner finds none. */
  readonly outputs?: Readonly<Record<string, string>> | "none";
  /** In the log. */
  readonly log?: readonly Pattern[];
  /** Not in the log, in upper or lower case. */
  readonly notInLog?: readonly string[];
  /** Maximum duration of the process, in milliseconds. */
  readonly maxMs?: number;
  /** Further assertions. */
  readonly check?: (run: ActionRun, harness: Harness) => void;
}

export const NO_REQUESTS: RequestCounts = { token: 0, jwks: 0 };
/** The token request fails permanently; the JWKS request may not have arrived by then. */
export const ONE_ATTEMPT: RequestCounts = { token: 1, jwks: [0, 1] };
/** The token request is retried once, which is the limit. */
export const TWO_ATTEMPTS: RequestCounts = { token: 2, jwks: [0, 2] };
/** Both requests succeed. */
export const BOTH_REQUESTS: RequestCounts = { token: 1, jwks: 1 };
/** The signing key is not found, so the key set is requested again. */
export const JWKS_AGAIN: RequestCounts = { token: 1, jwks: [2, 20] };

type Details = Omit<Expected, "outcome" | "requests" | "errors"> & { readonly requests?: Partial<RequestCounts> };

/** One token request and one JWKS request by default. */
export const succeeds = (details: Details = {}): Expected => ({
  ...details,
  outcome: "success",
  requests: { ...BOTH_REQUESTS, ...details.requests },
});

/** One error annotation. */
export const fails = (error: Pattern, requests: RequestCounts, details: Details = {}): Expected => ({
  ...details,
  outcome: "failure",
  errors: [error],
  requests: { ...requests, ...details.requests },
});

/** Fails before any request. */
export const rejectsInputs = (...errors: readonly Pattern[]): Expected => ({
  outcome: "failure",
  errors,
  requests: NO_REQUESTS,
});

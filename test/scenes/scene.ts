import type { Socket } from "node:net";

import type { Certificates } from "../support/certificate.ts";
import type { ChaosProxy, Faults } from "../support/chaos-proxy.ts";
import type { ConnectProxy, ConnectProxyOptions } from "../support/connect-proxy.ts";
import type { ActionRun } from "../support/runner.ts";
import type { WorkflowEvent } from "../support/runner-environment.ts";
import type { Script, ScriptedServer } from "../support/scripted-server.ts";

/** Texts by name; what is undefined is taken away. */
export type Texts = Readonly<Record<string, string | undefined>>;

/** How the scripted server behaves. Default: honestly. */
export interface ServerPlan {
  readonly token?: Script;
  readonly keys?: Script;
  readonly tls?: Certificates;
}

/** A proxy that `https_proxy` names; it takes every host to the server. */
export interface ProxyPlan extends Partial<ConnectProxyOptions> {
  /** What the variable says. Default: the proxy's own URL. */
  readonly variable?: (proxy: ConnectProxy) => string;
  /** The variable. Default: `https_proxy`. */
  readonly name?: string;
  /** Answers so many CONNECTs with 502 before it works. */
  readonly failures?: number;
}

/** What was set up for one scene. */
export interface Stage {
  readonly server: ScriptedServer;
  /** A second server, to which nothing should go unless an input names it. */
  readonly other: ScriptedServer;
  readonly proxy: ConnectProxy | undefined;
  readonly chaos: ChaosProxy | undefined;
  /** Where the action is told to go: the server, or what stands before it. */
  readonly origin: string;
  /** Path of a file in a folder of this scene's own, which is empty at first. */
  readonly file: (name: string) => string;
  /** Each `access_token` that was served, in order. */
  readonly served: readonly string[];
}

/** A value, or one made for the stage at hand. */
export type ForStage<T> = T | ((stage: Stage) => T);

/** One run of the action against servers that behave well or badly, and what must come of it. */
export interface Scene {
  /** A sentence of behaviour. */
  readonly name: string;
  /** Over the usual inputs: client id, secret, tenant, token URL, one repeat, 5 s. */
  readonly inputs?: ForStage<Texts>;
  readonly env?: ForStage<Texts>;
  readonly event?: WorkflowEvent;
  /** With debug logging. */
  readonly debug?: true;
  /** The runner's end of stdout is shut. */
  readonly deafRunner?: true;
  /** A function makes a plan with memory of its own. */
  readonly server?: ForStage<ServerPlan>;
  readonly other?: ServerPlan;
  /** Faults between action and server. */
  readonly chaos?: Faults | ((n: number) => Faults);
  /** Takes the connections in the server's stead. */
  readonly raw?: (socket: Socket) => void;
  readonly proxy?: ProxyPlan;
  /** Made before the run: texts of files by name. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** What no one may see beside the secret and each token served. */
  readonly canaries?: readonly string[];
  /** Lets node itself, dying, write to stderr. */
  readonly allowStderr?: true;
  /** Where the scene can't be set. */
  readonly notOn?: readonly NodeJS.Platform[];
  readonly expect: Expected;
}

/** A number, or a least and a most one where timing decides. */
export type Count = number | readonly [least: number, most: number];
/** A part of a text, or a pattern in it. */
export type Part = string | RegExp;
/** First line of an annotation: what is at fault. Second: what to do. */
export type Told = readonly [cause: Part, hint: Part];

/** Requests that arrived. Where nothing is said there is none. */
export interface Requests {
  readonly token: Count;
  readonly keys: Count;
  /** To other paths than those two. */
  readonly elsewhere?: Count;
  /** To the other server. */
  readonly other?: Count;
}

/** What must come of a scene. */
export interface Expected {
  /** `in`: exit 0 and the last token served. `out`: exit 1 and no outputs. A signal: ended by it, no outputs. */
  readonly signed: "in" | "out" | NodeJS.Signals;
  readonly requests: Requests;
  /** The error annotations, all of them. Without it there is none. */
  readonly told?: readonly Told[];
  /** The other annotations, all of them. */
  readonly warnings?: readonly Part[];
  /** Outputs that differ from what the claims of the token say. `none`: the runner finds none. */
  readonly outputs?: Readonly<Record<string, Part>> | "none";
  /** What stands in the log as its reader sees it. */
  readonly says?: readonly Part[];
  /** What does not stand there, in either case of its letters. */
  readonly never?: readonly Part[];
  /** How long it may take, in milliseconds. */
  readonly within?: number;
  /** Anything else; throws when it is not so. */
  readonly also?: (run: ActionRun, stage: Stage) => unknown;
}

/** Not one request came. */
export const NOTHING: Requests = { token: 0, keys: 0 };
/** Final at the first try of the token request, whether or not the key request has come by then. */
export const ONCE: Requests = { token: 1, keys: [0, 1] };
/** The token request was tried again, as often as permitted: once. */
export const TWICE: Requests = { token: 2, keys: [0, 1] };
/** Both requests were answered, and the token is what is wrong. */
export const PROVED_WRONG: Requests = { token: 1, keys: 1 };
/** The key was not there, so the keys were asked for once more. */
export const LOOKED_AGAIN: Requests = { token: 1, keys: 2 };

/** A value as names of scenes show it. */
export const shown = (value: unknown, longest = 50): string =>
  value === undefined ? "missing" : JSON.stringify(value).slice(0, longest);

type Details = Omit<Expected, "signed" | "requests" | "told"> & Partial<Requests>;

/** Signs in: one token request and one key request. */
export const signsIn = (details: Details = {}): Expected => expected("in", { token: 1, keys: 1 }, details);

/** Fails, with one annotation. */
export const fails = (cause: Part, hint: Part, requests: Requests, details: Details = {}): Expected => ({
  ...expected("out", requests, details),
  told: [[cause, hint]],
});

/** Fails before any request, and tells all of these. */
export const refuses = (told: readonly Told[], details: Details = {}): Expected => ({
  ...expected("out", { token: 0, keys: 0 }, details),
  told,
});

/** Ends by a signal, with nothing handed out. */
export const endsBy = (signal: NodeJS.Signals, details: Details = {}): Expected =>
  expected(signal, { token: [0, 1], keys: [0, 1] }, details);

function expected(signed: Expected["signed"], usual: Requests, details: Details): Expected {
  const { token = usual.token, keys = usual.keys, elsewhere = 0, other = usual.other ?? 0, ...rest } = details;
  return { signed, requests: { token, keys, elsewhere, other }, ...rest };
}

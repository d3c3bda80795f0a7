import { connect, type Socket } from "node:net";
import { socketHost } from "../shared/http/socket-host.ts";

/**
 * The sign-in's connections, opened before the rest of the action is loaded: a round trip to the server passes
 * meanwhile. Imported first of all, it needs nothing but sockets. Nothing is sent before the inputs have been checked,
 * TLS is not begun, and what nobody takes holds no process.
 */

/** A connection that is made, or being made, and to whom. */
export interface EarlySocket {
  readonly host: string;
  readonly port: number;
  readonly socket: Socket;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PROXIES = /^https?_proxy$/i;

/** The servers that a step with these variables will ask first, one entry for each request; none where that is unsure. */
export function serversAsked(env: Environment): readonly URL[] {
  const input = (name: string): string => env[`INPUT_${name.toUpperCase()}`]?.trim() ?? "";
  const wished = (name: string): boolean => !/^(false)?$/i.test(input(name));
  const proxied = Object.keys(env).some((name) => PROXIES.test(name) && env[name]);
  // The check tells how long a connection takes. And node would talk of them before its stderr is shut.
  if (proxied || wished("check") || env["NODE_DEBUG"]) return [];
  // Where a token may be there already, its keys are all that is asked for.
  const token = wished("auth-file") || wished("sealed-token") ? [] : [input("token-url")];
  const keys = wished("verify") ? [input("jwks-url") || input("token-url")] : [];
  return [...token, ...keys].flatMap((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url?.protocol === "https:" ? [url] : [];
  });
}

/** Connects to those servers. Whoever takes a socket gets its failure too; until then nobody hears of it. */
function openEarly(env: Environment): readonly EarlySocket[] {
  return serversAsked(env).map(({ hostname, port }) => {
    const address = { host: socketHost(hostname), port: Number(port || 443) };
    const socket = connect({ ...address, noDelay: true });
    socket.on("error", () => undefined).unref();
    return { ...address, socket };
  });
}

/** Those of this process, as its environment stood at its start. */
export const earlySockets = openEarly(process.env);

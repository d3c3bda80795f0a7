import dns, { type LookupAddress } from "node:dns";
import net, { isIP, type Socket } from "node:net";
import type { Milliseconds } from "../../shared/clock.ts";
import { connectionError, timeoutError } from "../../shared/http/connection-error.ts";
import { proxyFor } from "../../shared/http/proxy.ts";
import { socketHost } from "../../shared/http/socket-host.ts";
import type { AuthError } from "../../shared/report/errors.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { askForTunnel, noTunnel, secure, secureProxy } from "./handshakes.ts";
import { joined, phrase } from "./phrase.ts";
import { addressOf, portOf, Way, type Lookup, type WayOptions } from "./way.ts";

const systemLookup: Lookup = (host, done) => {
  // By its object: what changes this function changes it for the sign-in, too.
  dns.lookup(host, { all: true }, done);
};

/**
 * Goes the way to a server step by step, over a connection of its own on which no request is sent and no secret: name,
 * connection, tunnel through the proxy if there is one, TLS. Whom to trust, which proxy to take and what each failure is
 * called are as for the sign-in itself.
 *
 * @throws AuthError, that of the step that failed
 */
export async function reach(url: URL, diagnosis: Diagnosis, options: WayOptions): Promise<void> {
  const way = new Way(options);
  try {
    const proxy = await proxyOf(url, diagnosis);
    const first = proxy ? toProxy(proxy) : toServer(url);
    const addresses = await resolve(way, first, diagnosis);
    let socket = await diagnosis.run("TCP", async (find) => {
      const connected = await connect(way, first, addresses);
      const whose = proxy ? phrase` of the proxy` : phrase``;
      find(phrase`port ${portOf(first.url)}${whose} over ${connected.remoteFamily ?? "an unknown family"}`);
      return connected;
    });
    if (proxy === undefined) diagnosis.skip("proxy", phrase`no variable names one for ${url.hostname}`);
    else {
      const direct = socket;
      socket = await diagnosis.run("proxy", async (find) => {
        find(phrase`${addressOf(proxy)}`);
        const spoken = proxy.protocol === "https:" ? await secureProxy(way, direct, proxy) : direct;
        await askForTunnel(way, spoken, proxy, url);
        find(phrase`${addressOf(proxy)} opens a tunnel to ${addressOf(url)}`);
        return spoken;
      });
    }
    if (url.protocol === "https:") await diagnosis.run("TLS", (find) => secure(way, socket, url, find));
    else diagnosis.skip("TLS", phrase`plain http, which stays on this machine`);
  } finally {
    way.close();
  }
}

/** The server that the way begins with, and what it means that it can't be reached. */
interface Hop {
  readonly url: URL;
  readonly meaning: (error: unknown) => AuthError;
  readonly late: (limit: Milliseconds) => AuthError;
}

const toServer = (url: URL): Hop => ({
  url,
  meaning: (error) => connectionError(error, "connecting", url.host),
  late: (limit) => timeoutError("connecting", url.host, limit),
});

const toProxy = (proxy: URL): Hop => ({ url: proxy, meaning: noTunnel, late: () => noTunnel({ code: "ETIMEDOUT" }) });

async function proxyOf(url: URL, diagnosis: Diagnosis): Promise<URL | undefined> {
  try {
    return proxyFor(url);
  } catch (error) {
    return await diagnosis.run("proxy", () => Promise.reject(error as Error));
  }
}

async function resolve(way: Way, { url, meaning }: Hop, diagnosis: Diagnosis): Promise<readonly LookupAddress[]> {
  const host = socketHost(url.hostname);
  const family = isIP(host);
  if (family !== 0) {
    diagnosis.skip("DNS", phrase`${host} is an address`);
    return [{ address: host, family }];
  }
  const { lookup = systemLookup } = way.options;
  // A name server that says nothing is as one that says "later".
  const late = (): AuthError => meaning(Object.assign(new Error(), { code: "EAI_AGAIN" }));
  return diagnosis.run("DNS", async (find) => {
    find(phrase`${host}`);
    const addresses = await way.wait<readonly LookupAddress[]>(late, meaning, (done, fail) => {
      lookup(host, (error, found) => {
        if (error) fail(error);
        else done(found);
      });
    });
    const counts = [4, 6].map((one) => [one, addresses.filter((found) => found.family === one).length] as const);
    const told = counts.filter(([, count]) => count > 0).map(([one, count]) => phrase`${count} IPv${one}`);
    find(phrase`${host} has ${joined(told, " and ")} ${addresses.length === 1 ? phrase`address` : phrase`addresses`}`);
    return addresses;
  });
}

function connect(way: Way, { url, meaning, late }: Hop, addresses: readonly LookupAddress[]): Promise<Socket> {
  return way.wait<Socket>(late, meaning, (done, fail) => {
    const socket = way.keep(
      net.connect({
        host: socketHost(url.hostname),
        port: portOf(url),
        // What DNS said is not asked for again; node chooses among the addresses as ever.
        lookup: (_host, { all }, found) => {
          const [{ address, family } = { address: "", family: 0 }] = addresses;
          if (all) found(null, [...addresses]);
          else found(null, address, family);
        },
      }),
    );
    socket.once("connect", () => {
      done(socket);
    });
    socket.once("error", fail);
  });
}

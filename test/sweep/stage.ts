import { createSecureContext, type SecureContext } from "node:tls";
import { makeCertificates } from "../support/certificate.ts";
import { startChaosProxy, type ChaosConnection, type Faults } from "../support/chaos-proxy.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../support/tokens.ts";
import { WAYS, type Answer, type WayName } from "./table.ts";

/** Who signs in. */
export const CLIENT = { clientId: "ci@1234567890.iam.panserviceaccount.com", clientSecret: "canary-7c1f5a2e" } as const;

/** A host that only a proxy knows. */
const FAR = "auth.scm.test";

/** Where a sign-in finds its two answers, one of which is cut. */
export interface Front {
  readonly tokenUrl: string;
  readonly jwksUrl: string;
  /** The authority to trust; undefined without TLS. */
  readonly ca: string | undefined;
  /** The same as node keeps it: to make it anew costs more than a sign-in. */
  readonly secureContext: SecureContext | undefined;
  /** What the environment says of proxies; undefined takes a variable away. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Those whose answers are cut, in the order they came. */
  readonly connections: readonly ChaosConnection[];
  readonly close: () => Promise<void>;
}

/** The servers behind all fronts. */
export interface SweepStage {
  /** What both servers give. */
  readonly token: string;
  /** @param plan - what befalls the n-th connection for that answer, counted from 0 */
  readonly open: (way: WayName, answer: Answer, plan: (n: number) => Faults) => Promise<Front>;
  /** Whether a proxy was asked for what is on loopback. */
  readonly proxyWasMisused: () => boolean;
  readonly close: () => Promise<void>;
}

/** Starts them. */
export async function openStage(): Promise<SweepStage> {
  const signer = await makeSigner();
  const token = signer.sign(honestClaims({ clientId: CLIENT.clientId, tsgId: "1234567890", ttl: 6 * 3600 }));
  const certificates = await makeCertificates();
  const secureContext = createSecureContext({ ca: certificates.ca });
  const script = {
    token: { body: { access_token: token, token_type: "Bearer", expires_in: 6 * 3600 } },
    keys: { body: { keys: [signer.jwk] } },
  };
  const plain = await startScriptedServer(script);
  const overTls = await startScriptedServer({ ...script, tls: certificates });
  const proxy = await startConnectProxy({ to: overTls.port });
  /** Named where it must not be asked. */
  const idle = await startConnectProxy({ to: plain.port });

  const open: SweepStage["open"] = async (name, answer, plan) => {
    const way = WAYS[name];
    const server = way.tls ? overTls : plain;
    const tunnels = way.tls && way.proxy;
    const front = await startChaosProxy(tunnels ? proxy.port : server.port, plan);
    const origin = tunnels ? `https://${FAR}` : server.origin.replace(/\d+$/, String(front.port));
    const cut = (url: string): string => url.replace(server.origin, origin);
    const proxyUrl = tunnels ? `http://127.0.0.1:${front.port}` : way.proxy ? idle.url : undefined;
    return {
      tokenUrl: answer === "token" ? cut(server.tokenUrl) : server.tokenUrl,
      jwksUrl: answer === "keys" ? cut(server.jwksUrl) : server.jwksUrl,
      ca: way.tls ? certificates.ca : undefined,
      secureContext: way.tls ? secureContext : undefined,
      env: { https_proxy: proxyUrl, http_proxy: proxyUrl, no_proxy: undefined },
      connections: front.connections,
      close: front.close,
    };
  };
  const servers = [plain, overTls, proxy, idle];
  return {
    token,
    open,
    proxyWasMisused: () => idle.connects.length + idle.others.length > 0,
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

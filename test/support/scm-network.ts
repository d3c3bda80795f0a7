import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificates } from "./certificates.ts";
import { startConnectProxy, type ConnectProxy } from "./connect-proxy.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "./scm-server.ts";

const AUTH_HOST = "auth.apps.paloaltonetworks.com";
/** The second one is that of Prisma SD-WAN. */
const API_HOSTS = ["api.strata.paloaltonetworks.com", "api.sase.paloaltonetworks.com"];

/** A network in which SCM's host names refer to a local server, so that examples run unchanged. */
export interface ScmNetwork {
  readonly server: ScmServer;
  readonly proxy: ConnectProxy;
  /** Variables that set the proxy and the CA for processes that use Node, curl, Python's requests, or Go. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes the auth server unreachable, or reachable again. The API is always reachable. */
  readonly setOutage: (isOut: boolean) => void;
  readonly close: () => Promise<void>;
}

export async function startScmNetwork(options: Pick<ScmServerOptions, "ttl" | "tsgIds"> = {}): Promise<ScmNetwork> {
  const server = await startScmServer({ ...options, tls: createCertificates([AUTH_HOST, ...API_HOSTS]) });
  let reachable: readonly string[] = [AUTH_HOST, ...API_HOSTS];
  const proxy = await startConnectProxy({ to: (host) => (reachable.includes(host) ? server.port : undefined) });
  const directory = await mkdtemp(join(tmpdir(), "scm-auth-network-"));
  const caFile = join(directory, "ca.pem");
  await writeFile(caFile, server.ca);
  return {
    server,
    proxy,
    env: {
      https_proxy: proxy.url,
      NODE_EXTRA_CA_CERTS: caFile,
      CURL_CA_BUNDLE: caFile,
      REQUESTS_CA_BUNDLE: caFile,
      SSL_CERT_FILE: caFile,
    },
    setOutage: (isOut) => (reachable = isOut ? API_HOSTS : [AUTH_HOST, ...API_HOSTS]),
    close: async () => {
      await proxy.close();
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
}

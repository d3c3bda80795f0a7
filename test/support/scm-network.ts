import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "./certificate.ts";
import { startConnectProxy, type ConnectProxy } from "./connect-proxy.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "./scm-server.ts";

const AUTH_HOST = "auth.apps.paloaltonetworks.com";
const API_HOST = "api.strata.paloaltonetworks.com";

/** A network in which SCM's own host names lead to a local server. */
export interface ScmNetwork {
  readonly server: ScmServer;
  readonly proxy: ConnectProxy;
  /** The CA of that server, in a file. */
  readonly caFile: string;
  /** What puts a process into this network: proxy and CA, by the variables of node, curl, Python's requests and Go. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether the auth server can be reached; the API can be all the time. */
  readonly setOutage: (on: boolean) => void;
  readonly close: () => Promise<void>;
}

/**
 * Starts it. Programs reach SCM's hosts as they stand in the examples, through a proxy that leads to loopback, so
 * nothing in an example has to be changed to run it.
 */
export async function startScmNetwork(options: Pick<ScmServerOptions, "ttl"> = {}): Promise<ScmNetwork> {
  const server = await startScmServer({ ...options, tls: await makeCertificates([AUTH_HOST, API_HOST]) });
  let reachable: readonly string[] = [AUTH_HOST, API_HOST];
  const proxy = await startConnectProxy({ to: (host) => (reachable.includes(host) ? server.port : undefined) });
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-network-"));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, server.ca);
  return {
    server,
    proxy,
    caFile,
    env: {
      https_proxy: proxy.url,
      NODE_EXTRA_CA_CERTS: caFile,
      CURL_CA_BUNDLE: caFile,
      REQUESTS_CA_BUNDLE: caFile,
      SSL_CERT_FILE: caFile,
    },
    setOutage: (on) => (reachable = on ? [API_HOST] : [AUTH_HOST, API_HOST]),
    close: async () => {
      await proxy.close();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

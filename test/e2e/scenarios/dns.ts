import { TOKEN_PATH } from "../../support/scm-auth-server.ts";
import { preload, TEST_HOST, tls } from "../fixtures.ts";
import { fails, NO_REQUESTS, succeeds, type Harness, type Scenario } from "../scenario.ts";

/** Creates inputs in which the server has a name that only the preload script can resolve. */
const byName = ({ server }: Harness) => ({
  "token-url": `https://${TEST_HOST}:${server.port}${TOKEN_PATH}`,
  "ca-cert": tls.ca,
  timeout: "10",
});

/** Creates the environment that replaces the action's DNS lookups. */
const nameServer = (variables: Readonly<Record<string, string>> = {}) => ({
  NODE_OPTIONS: preload("dns"),
  ...variables,
});

export const dns: readonly Scenario[] = [
  ...["0", "50"].map((delay) => ({
    name: `uses the second address if the first refuses connections and a DNS lookup takes ${delay} ms`,
    inputs: byName,
    env: nameServer({ DNS_ADDRESSES: "::1,127.0.0.1", DNS_DELAY: delay }),
    server: { tls },
    expect: succeeds(),
  })),
  {
    name: "uses the second address if packets to the first are dropped",
    // Only Linux has other loopback addresses by default.
    skipOn: ["darwin", "win32"],
    inputs: byName,
    env: nameServer({ DNS_ADDRESSES: "127.0.0.2,127.0.0.1" }),
    server: { tls },
    silentAddress: "127.0.0.2",
    expect: succeeds(),
  },
  {
    name: "reports that all addresses refuse connections",
    inputs: { "token-url": `https://${TEST_HOST}:1${TOKEN_PATH}` },
    env: nameServer({ DNS_ADDRESSES: "::1,127.0.0.1", DNS_DELAY: "30" }),
    expect: fails(/auth\.scm\.test:1.*ECONNREFUSED.*\n.*Nothing is listening/, NO_REQUESTS),
  },
  {
    name: "reports an unknown host after one attempt",
    inputs: { "token-url": `https://unknown.invalid${TOKEN_PATH}` },
    env: nameServer(),
    expect: fails(/unknown\.invalid.*\n.*Check the spelling/, NO_REQUESTS, { notInLog: ["attempt"] }),
  },
  {
    name: "retries a failed lookup and reports it",
    inputs: { "token-url": `https://busy.invalid${TOKEN_PATH}` },
    env: nameServer(),
    expect: fails(/busy\.invalid.*EAI_AGAIN.*2 attempts.*\n.*DNS/, NO_REQUESTS),
  },
];

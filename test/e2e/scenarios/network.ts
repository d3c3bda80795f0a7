import type { Socket } from "node:net";
import { createCertificates } from "../../support/certificates.ts";
import type { Faults } from "../../support/chaos-proxy.ts";
import { TOKEN_PATH } from "../../support/scm-auth-server.ts";
import type { ScriptedResponse } from "../../support/scripted-server.ts";
import { tls, untrustedTls } from "../fixtures.ts";
import { fails, NO_REQUESTS, succeeds, type Pattern, type RequestCounts, type Scenario } from "../scenario.ts";

/** The number of requests that arrive depends on the fault. */
const ANY: RequestCounts = { token: [0, 2], jwks: [0, 2] };
const VERIFICATION_OFF = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };

const [otherHost, expired] = [createCertificates(["other.test"]), createCertificates(undefined, -1_800_000)];

/** Token responses that do not arrive completely, and the reported errors. */
const BODIES: readonly (readonly [name: string, response: ScriptedResponse, error: Pattern, attempts?: 1])[] = [
  ["a truncated response", { destroyAfterBytes: 20 }, /truncated|closed.*before|ended before|incomplete/],
  ["a server that does not respond", { hang: true }, /.*\n.*Run fewer jobs in parallel/],
  ["an endless response", { endless: true }, /1024 KiB|1 MiB|too large|larger/, 1],
]; // prettier-ignore

/** Faults on each connection, and the reported errors. */
const FAULTS: Readonly<Record<string, readonly [faults: Faults, error: Pattern]>> = {
  "a connection that is reset": [{ refuse: true }, /ECONNRESET.*2 attempts/],
  "a response in a protocol other than HTTP": [
    { reply: "SSH-2.0-OpenSSH_9.6\r\n::error::evil\n" },
    /HPE_\w+.*2 attempts/,
  ],
};

/** Writes `start` and then repeats `text` until the connection is closed. */
const sendForever = (start: string, text: string) => (socket: Socket) => {
  socket.once("data", () => {
    socket.write(start);
    const fill = (): void => {
      while (!socket.destroyed && socket.write(text));
    };
    socket.on("drain", fill);
    fill();
  });
};

/** Servers that must not receive the secret. */
const UNTRUSTED: readonly (readonly [name: string, scenario: Omit<Scenario, "name" | "expect">, error: Pattern])[] = [
  ["a server with an unknown CA", { server: { tls } }, /certificate.*\n.*No secret was sent.*CA certificate/],
  ["a server with a certificate for another host", { server: { tls: otherHost }, inputs: { "ca-cert": otherHost.ca } }, /ERR_TLS_CERT_ALTNAME_INVALID|other\.test|host/],
  ["a server with an expired certificate", { server: { tls: expired }, inputs: { "ca-cert": expired.ca } }, /CERT_HAS_EXPIRED|expired/],
  ["a server without TLS at an https URL", { inputs: ({ server }) => ({ "token-url": server.tokenUrl.replace("http:", "https:") }) }, /TLS/],
]; // prettier-ignore

export const network: readonly Scenario[] = [
  ...BODIES.map(([what, token, error, attempts]) => ({
    name: `reports ${what}`,
    inputs: { timeout: "3" },
    server: { token: { body: { access_token: "aaaa.bbbb.cccc" }, ...token } },
    expect: fails(error, { token: attempts ?? [1, 2], jwks: [0, 2] }, { maxMs: 30_000 }),
  })),
  ...Object.entries(FAULTS).map(([what, [chaos, error]]) => ({
    name: `reports ${what}`,
    inputs: { timeout: "3" },
    chaos,
    expect: fails(error, ANY, { maxMs: 30_000, notInLog: ["evil"] }),
  })),
  {
    name: "reports endless headers",
    raw: sendForever("HTTP/1.1 200 OK\r\n", "X-Padding: 0123456789\r\n".repeat(100)),
    expect: fails(/HPE_HEADER_OVERFLOW/, NO_REQUESTS, { maxMs: 30_000 }),
  },
  {
    name: "reports a port that refuses connections",
    inputs: { "token-url": `http://127.0.0.1:1${TOKEN_PATH}` },
    expect: fails(/127\.0\.0\.1:1.*ECONNREFUSED.*2 attempts.*\n.*Nothing is listening/, NO_REQUESTS),
  },
  {
    name: "retries each request after its connection breaks",
    chaos: (n) => (n < 2 ? { resetAfter: 10 } : {}),
    expect: succeeds({ requests: { token: 2, jwks: 2 }, log: ["Attempt 1 of 2 failed"] }),
  },
  ...UNTRUSTED.map(([what, scenario, error]) => ({
    name: `sends no secret to ${what}, regardless of NODE_TLS_REJECT_UNAUTHORIZED`,
    ...scenario,
    env: VERIFICATION_OFF,
    expect: fails(error, NO_REQUESTS, { warnings: ["NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored"] }),
  })),
  {
    name: "trusts the CA in NODE_EXTRA_CA_CERTS in addition to a CA file",
    files: { "ca.pem": `# comment\r\n${untrustedTls.ca}`, "extra.pem": tls.ca },
    inputs: ({ file }) => ({ "ca-cert": ` ${file("ca.pem")}\n` }),
    env: ({ file }) => ({ NODE_EXTRA_CA_CERTS: file("extra.pem") }),
    server: { tls },
    expect: succeeds(),
  },
  {
    name: "trusts a CA in ca-cert",
    inputs: { "ca-cert": `${untrustedTls.ca}${tls.ca}` },
    server: { tls },
    expect: succeeds(),
  },
];

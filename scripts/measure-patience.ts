import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { Milliseconds } from "../shared/clock.ts";
import { OAuth2Client } from "../shared/index.ts";
import { createSigner, validClaims } from "../test/support/tokens.ts";

/**
 * `node scripts/measure-patience.ts` prints the table in docs/retries.md: how many of 100 sign-ins survive a short
 * outage of the token endpoint, with this library and with the Python SDK. All clients use their default settings. It
 * takes four minutes and needs Linux, and `python3` on PATH with `pan-scm-sdk`.
 */

const RUNS = 100;
/** Time between two starts. If all runs started at once, the load on this machine would delay the retries. */
const INTERVAL: Milliseconds = 100;
const OUTAGES = [500, 1000, 1500, 2000, 3000];
const CLIENT_ID = "ci@1.iam.panserviceaccount.com";
const CLIENT_SECRET = "not-a-secret";

/** What clients get during an outage: a 503, a reset connection after the request, or no connection. */
const KINDS = ["status 503", "connection reset", "connection refused"] as const;
type Kind = (typeof KINDS)[number];

/** For each token URL on stdin, prints `start <index>`, signs in, and prints `end <index> <whether it succeeded>`. */
const PYTHON = `
import logging, os, sys, threading
logging.disable(logging.CRITICAL)
from scm.auth import OAuth2Client
from scm.models.auth import AuthRequestModel
def report(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def sign_in(index, url):
    request = AuthRequestModel(client_id="${CLIENT_ID}", client_secret="${CLIENT_SECRET}", tsg_id="1", token_url=url)
    report("start", index)
    try:
        OAuth2Client(request)
        report("end", index, "true")
    except Exception:
        report("end", index, "false")
report("ready")
for index, url in enumerate(sys.stdin):
    threading.Thread(target=sign_in, args=(index, url.strip())).start()
`;

/** An auth server for one sign-in. */
interface AuthServer {
  readonly tokenUrl: string;
  /** Called just before the first request, which a server that refuses connections does not see. */
  readonly onStart: () => void;
  readonly close: () => void;
}

const signer = await createSigner();

/** Each server has its own address in 127.0.0.0/8, so that its port is not reused while it is closed. */
let count = 0;

/** Starts a server with an outage that begins with the first request. */
async function startAuthServer(kind: Kind, outage: Milliseconds): Promise<AuthServer> {
  let end = Infinity;
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const isTokenRequest = request.method === "POST";
      if (isTokenRequest && kind !== "connection refused") end = Math.min(end, performance.now() + outage);
      const isOut = isTokenRequest && performance.now() < end && kind !== "connection refused";
      if (isOut && kind === "connection reset") request.socket.resetAndDestroy();
      else if (isOut) response.writeHead(503).end();
      else {
        const accessToken = signer.sign(validClaims({ clientId: CLIENT_ID, tsgId: "1" }));
        const token = { access_token: accessToken, token_type: "Bearer", expires_in: 899 };
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify(isTokenRequest ? token : { keys: [signer.jwk] }));
      }
    });
  });
  const address = `127.0.${1 + (count >> 8)}.${count++ & 255}`;
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, address, resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  if (kind === "connection refused") await new Promise((resolve) => server.close(resolve));
  return {
    tokenUrl: `http://${address}:${port}/oauth2/access_token`,
    onStart: () => {
      if (kind === "connection refused") setTimeout(() => void listen(port), outage);
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Returns whether each sign-in with the library succeeded. */
const measureLibrary = (servers: readonly AuthServer[]): Promise<readonly boolean[]> =>
  Promise.all(
    servers.map(async ({ tokenUrl, onStart }, index) => {
      await delay(index * INTERVAL);
      onStart();
      const request = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, tokenUrl };
      return OAuth2Client.connect(request).then(
        () => true,
        () => false,
      );
    }),
  );

/** Returns whether each sign-in with the Python SDK succeeded. */
async function measurePython(servers: readonly AuthServer[]): Promise<readonly boolean[]> {
  const env = { ...process.env, OAUTHLIB_INSECURE_TRANSPORT: "1" };
  const python = spawn("python3", ["-c", PYTHON], { env, stdio: ["pipe", "pipe", "inherit"] });
  const sendUrls = async (): Promise<void> => {
    for (const { tokenUrl } of servers) {
      python.stdin.write(`${tokenUrl}\n`);
      await delay(INTERVAL);
    }
    python.stdin.end();
  };
  const results: boolean[] = [];
  for await (const line of createInterface(python.stdout)) {
    const [what, index, result] = line.split(" ");
    if (what === "ready") void sendUrls();
    else if (what === "start") servers[Number(index)]?.onStart();
    else results.push(result === "true");
  }
  return results;
}

/** Returns the percentage of successful sign-ins during an outage. */
async function measure(
  kind: Kind,
  outage: Milliseconds,
  run: (servers: readonly AuthServer[]) => Promise<readonly boolean[]>,
): Promise<string> {
  const servers = await Promise.all(Array.from({ length: RUNS }, () => startAuthServer(kind, outage)));
  const results = await run(servers);
  if (results.length !== RUNS) throw new Error(`only ${results.length} of ${RUNS} sign-ins ended`);
  // A server may still be about to listen again.
  setTimeout(() => {
    for (const { close } of servers) close();
  }, outage);
  return `${results.filter(Boolean).length} %`;
}

console.log(`| outage | client | ${OUTAGES.map((outage) => `${outage / 1000} s`).join(" | ")} |`);
console.log(`| --- | --- |${" --- |".repeat(OUTAGES.length)}`);
for (const kind of KINDS) {
  const cells: Record<string, string[]> = { "scm-auth": [], "`pan-scm-sdk`": [] };
  for (const outage of OUTAGES) {
    // Both run at the same time, so that they have the same conditions.
    const results = await Promise.all([measure(kind, outage, measureLibrary), measure(kind, outage, measurePython)]);
    for (const [n, list] of Object.values(cells).entries()) list.push(results[n] ?? "");
  }
  for (const [client, list] of Object.entries(cells)) console.log(`| ${kind} | ${client} | ${list.join(" | ")} |`);
}

import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import { test } from "node:test";
import { makeCertificates, type Certificates } from "./certificate.ts";

const trusted = await makeCertificates();
const stranger = await makeCertificates();

/** Shakes hands with a server of `server`'s under a name, and gives the error's code or the protocol. */
async function handshake(server: Certificates, ca: string, servername: string): Promise<string> {
  const listening = createServer({ cert: server.cert, key: server.key });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const { port } = listening.address() as AddressInfo;
  try {
    return await new Promise((resolve) => {
      const socket = connect({ port, host: "127.0.0.1", ca, servername }, () => {
        resolve(socket.getProtocol() ?? "");
        socket.destroy();
      });
      socket.on("error", (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message);
      });
    });
  } finally {
    await new Promise((resolve) => {
      listening.close(resolve);
      listening.closeAllConnections();
    });
  }
}

const scenes: readonly (readonly [what: string, ca: string, name: string, result: string])[] = [
  ["the made-up name", trusted.ca, "auth.scm.test", "TLSv1.3"],
  ["localhost", trusted.ca, "localhost", "TLSv1.3"],
  ["the loopback address", trusted.ca, "127.0.0.1", "TLSv1.3"],
  ["a name it was not made for", trusted.ca, "other.test", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ["another authority", stranger.ca, "localhost", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
];

for (const [what, ca, name, result] of scenes) {
  test(`node's TLS meets the certificate under ${what}: ${result}`, async () => {
    // An IP address can't be a server name in TLS; node then checks the address it connected to.
    assert.equal(await handshake(trusted, ca, name === "127.0.0.1" ? "" : name), result);
  });
}

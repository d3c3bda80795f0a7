import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { generate } from "selfsigned";

/** What a TLS server and those who trust it need. All PEM text. */
export interface Certificates {
  /** The certificate authority that signed `cert`. No two calls share one. */
  readonly ca: string;
  /** The server's certificate, without the authority's. */
  readonly cert: string;
  /** The server's private key. */
  readonly key: string;
}

/** Hosts that a server in a test goes by. Names under `.test` never resolve (RFC 6761): a proxy maps them. */
const TEST_NAMES: readonly string[] = Object.freeze(["localhost", "127.0.0.1", "auth.scm.test", "api.scm.test"]);

const HOUR = 3_600_000;
const EC = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

/**
 * Makes a certificate authority and a server certificate that it signs, with P-256 keys, valid from an hour ago
 * for a day. To test an untrusted server give the `ca` of another call to the client.
 *
 * @param names - DNS names and IP addresses that the certificate is for; the first is its common name
 * @param lifetime - milliseconds from now; negative, down to an hour, for one that has ended
 */
export async function makeCertificates(
  names: readonly string[] = TEST_NAMES,
  lifetime: number = 24 * HOUR,
): Promise<Certificates> {
  const life = { notBeforeDate: new Date(Date.now() - HOUR), notAfterDate: new Date(Date.now() + lifetime) };
  // A name of its own: authorities with one name and two keys would fail as a bad signature, not as unknown.
  const commonName = `scm-auth test authority ${randomBytes(6).toString("hex")}`;
  const authority = await generate([{ name: "commonName", value: commonName }], {
    ...EC,
    ...life,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: names[0] ?? "localhost" }], {
    ...EC,
    ...life,
    ca: { cert: authority.cert, key: authority.private },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: names.map(alternativeName) },
    ],
  });
  return { ca: authority.cert, cert: server.cert, key: server.private };
}

/** A name as RFC 5280 section 4.2.1.6 wants it: 2 is dNSName, 7 is iPAddress. */
const alternativeName = (name: string) =>
  isIP(name) === 0 ? ({ type: 2, value: name } as const) : ({ type: 7, ip: name } as const);

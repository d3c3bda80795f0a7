import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { isIP } from "node:net";

/** The certificates and the key of a TLS server, in PEM format. */
export interface Certificates {
  /** The certificate of the authority that signed `cert`. Each call creates a new authority. */
  readonly ca: string;
  /** The server's certificate, without the CA certificate. */
  readonly cert: string;
  /** The server's private key. */
  readonly key: string;
}

/** The host names of test servers. Names under `.test` never resolve (RFC 6761), so a proxy maps them. */
const TEST_NAMES: readonly string[] = ["localhost", "127.0.0.1", "::1", "auth.scm.test", "api.scm.test"];

const HOUR = 3_600_000;

/**
 * Creates a certificate authority and a server certificate signed by it (RFC 5280), with P-256 keys. Both became valid
 * an hour ago. To get an untrusted server, use the `ca` from a different call.
 *
 * @param names - DNS names and IP addresses; the first one is the common name
 * @param lifetime - milliseconds from now until the certificates expire; default: one day. A negative value, down to minus
 *   one hour, creates expired certificates
 * @param isUnusual - whether the server's certificate has a critical extension that no client knows
 */
export function createCertificates(
  names: readonly string[] = TEST_NAMES,
  lifetime: number = 24 * HOUR,
  isUnusual = false,
): Certificates {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const server = generateKeyPairSync("ec", { namedCurve: "P-256" });
  // Each authority has its own name. With the same name, an error would report a bad signature, not an unknown issuer.
  const issuer = toName(`scm-auth test authority ${randomBytes(6).toString("hex")}`);
  const issued = { issuer, issuerKey: authority, lifetime };
  const ca = toCertificate({
    ...issued,
    subject: issuer,
    subjectKey: authority.publicKey,
    extensions: [
      toExtension("2.5.29.19", sequence(TRUE), true), // basicConstraints: CA
      toExtension("2.5.29.15", toBitString([0x06], 1), true), // keyUsage: keyCertSign, cRLSign
    ],
  });
  const cert = toCertificate({
    ...issued,
    subject: toName(names[0] ?? "localhost"),
    subjectKey: server.publicKey,
    extensions: [
      toExtension("2.5.29.19", sequence(), true),
      toExtension("2.5.29.15", toBitString([0x80], 7), true), // keyUsage: digitalSignature
      toExtension("2.5.29.37", sequence(toOid("1.3.6.1.5.5.7.3.1"))), // extendedKeyUsage: serverAuth
      toExtension("2.5.29.17", sequence(...names.map(toAlternativeName))),
      ...(isUnusual ? [toExtension("2.999", TRUE, true)] : []),
    ],
  });
  return { ca, cert, key: server.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

interface CertificateOptions {
  readonly issuer: Buffer;
  readonly issuerKey: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  readonly lifetime: number;
  readonly subject: Buffer;
  readonly subjectKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

/** Encodes a certificate (RFC 5280 section 4.1) as PEM. */
function toCertificate({ issuer, issuerKey, lifetime, subject, subjectKey, extensions }: CertificateOptions): string {
  const algorithm = sequence(toOid("1.2.840.10045.4.3.2")); // ecdsa-with-SHA256
  const now = Date.now();
  const all = [
    ...extensions,
    toExtension("2.5.29.14", encode(0x04, getKeyId(subjectKey))),
    toExtension("2.5.29.35", sequence(encode(0x80, getKeyId(issuerKey.publicKey)))),
  ];
  const unsigned = sequence(
    encode(0xa0, encode(0x02, Buffer.from([2]))), // version 3
    encode(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])), // serial number
    algorithm,
    issuer,
    sequence(toTime(now - HOUR), toTime(now + lifetime)),
    subject,
    toSpki(subjectKey),
    encode(0xa3, sequence(...all)),
  );
  const der = sequence(unsigned, algorithm, toBitString([...sign("sha256", unsigned, issuerKey.privateKey)]));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** Encodes a DER value: tag, length, and content (X.690 section 8.1). */
function encode(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...content: readonly Buffer[]): Buffer => encode(0x30, ...content);
const TRUE = encode(0x01, Buffer.from([0xff]));
const toBitString = (bytes: readonly number[], unusedBits = 0): Buffer =>
  encode(0x03, Buffer.from([unusedBits, ...bytes]));
const toSpki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });
const getKeyId = (key: KeyObject): Buffer => createHash("sha1").update(toSpki(key)).digest();

function toOid(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const septets = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) septets.unshift((left & 0x7f) | 0x80);
    return septets;
  });
  return encode(0x06, Buffer.from(bytes));
}

const toExtension = (oid: string, value: Buffer, critical = false): Buffer =>
  sequence(toOid(oid), ...(critical ? [TRUE] : []), encode(0x04, value));

const toName = (commonName: string): Buffer =>
  sequence(encode(0x31, sequence(toOid("2.5.4.3"), encode(0x0c, Buffer.from(commonName)))));

/** Encodes a UTCTime: YYMMDDHHMMSSZ. */
const toTime = (time: number): Buffer =>
  encode(0x17, Buffer.from(`${new Date(time).toISOString().replace(/\D/g, "").slice(2, 14)}Z`));

/** Encodes a GeneralName: dNSName or iPAddress (RFC 5280 section 4.2.1.6). */
function toAlternativeName(name: string): Buffer {
  if (isIP(name) === 0) return encode(0x82, Buffer.from(name));
  if (isIP(name) === 4) return encode(0x87, Buffer.from(name.split(".").map(Number)));
  if (name !== "::1") throw new Error(`${name}: the only supported IPv6 address is ::1`);
  return encode(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])]));
}

import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { ConfigIssue } from "./errors.ts";

const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";
/** The maximum size of a certificate file. The bundles of operating systems have less than 1 MB. */
const MAX_BYTES = 16_000_000;
const BASE64 = /^[A-Za-z0-9+/=\s]+$/;

const PEM_HINT = `Use one or more certificates in PEM format, each from ${BEGIN} to ${END}.`;

/** Certificates in PEM format (RFC 7468), or the reason the text cannot be used. */
export type ParsedCertificates =
  | { readonly pem: string; readonly reason?: undefined }
  | { readonly pem?: undefined; readonly reason: Pick<ConfigIssue, "message" | "hint"> };

/**
 * Parses the certificates in a text and ignores everything else. Line breaks may be missing or escaped as `\n`, and the
 * whole text may be base64-encoded, as is common in secret stores and CI variables. One certificate in base64-encoded
 * DER, without the BEGIN and END lines, is also accepted.
 */
export function parseCertificates(text: string): ParsedCertificates {
  // Without the lookbehind, a long sequence of backslashes would be searched again from each backslash.
  const unescaped = decodeBase64Pem(text).replace(/(?<!\\)(\\+r)?\\+n/g, "\n");
  const blocks = unescaped.split(BEGIN).slice(1);
  const fail = (message: string): ParsedCertificates => ({ reason: { message, hint: PEM_HINT } });
  if (blocks.length === 0) {
    const bare = readCertificate(unescaped);
    return bare === undefined ? fail(describeOther(unescaped)) : { pem: bare };
  }
  if (unescaped.split(END).length - 1 > blocks.length) return fail(`contains ${END} without ${BEGIN}`);
  const certificates: string[] = [];
  for (const [index, block] of blocks.entries()) {
    const name = `certificate ${index + 1} of ${blocks.length}`;
    const end = block.indexOf(END);
    if (end === -1) return fail(`is truncated: ${name} has no ${END}`);
    const pem = readCertificate(block.slice(0, end));
    if (pem === undefined) return fail(`contains an invalid certificate: ${name} cannot be read`);
    certificates.push(pem);
  }
  return { pem: certificates.join("\n") };
}

/**
 * Reads a value that contains either certificates, as accepted by {@link parseCertificates}, or the path of a
 * certificate file. A blank or non-string value is returned unchanged.
 *
 * @param baseDescription - what the hint calls the directory that relative paths start from, for example "the
 *   workspace"
 */
export function readCaCertificates(
  value: string | undefined,
  baseDescription: string,
): { readonly pem?: string | undefined; readonly issue?: ConfigIssue } {
  if (typeof value !== "string" || value.trim() === "") return { pem: value };
  const text = value.trim();
  const isData = decodeBase64Pem(text).includes("-----BEGIN") || readCertificate(text) !== undefined;
  const { pem, reason } = isData ? parseCertificates(text) : readCertificateFile(text, baseDescription);
  return reason === undefined ? { pem } : { issue: { field: "ca", ...reason } };
}

function readCertificateFile(path: string, baseDescription: string): ParsedCertificates {
  const { bytes, size } = readRegularFile(path);
  if (size > MAX_BYTES)
    return { reason: { message: `is the path of a file with more than ${MAX_BYTES} bytes`, hint: PEM_HINT } };
  if (bytes === undefined) {
    const hint = `Use certificates in PEM format (${BEGIN} ...) or a path relative to ${baseDescription}, without quotes.`;
    return { reason: { message: "is neither PEM data nor a readable file", hint } };
  }
  // A certificate in DER starts with a SEQUENCE whose length takes two bytes. Windows PowerShell writes UTF-16.
  const isDer = bytes[0] === 0x30 && bytes[1] === 0x82;
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  const text = bytes.toString(isDer ? "base64" : isUtf16 ? "utf16le" : "utf8");
  if (text.trim() === "") return { reason: { message: "is the path of an empty file", hint: PEM_HINT } };
  return parseCertificates(text);
}

/** Describes PEM data without certificates by its first label, for example `PKCS7`. */
function describeOther(text: string): string {
  const [, label] = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text) ?? [];
  return label === undefined ? "contains no certificate" : `contains no certificate, but ${label} data`;
}

/**
 * Returns the size of a file and, if it is not too large, its content. The content is undefined if there is no such
 * file. Reading a FIFO or a device might never end.
 */
function readRegularFile(path: string): { readonly bytes?: Buffer; readonly size: number } {
  try {
    const stats = statSync(path);
    const size = stats.isFile() ? stats.size : 0;
    return stats.isFile() && size <= MAX_BYTES ? { bytes: readFileSync(path), size } : { size };
  } catch {
    return { size: 0 };
  }
}

/** Decodes `text` if it is base64-encoded PEM. If not, returns it unchanged. */
function decodeBase64Pem(text: string): string {
  if (!BASE64.test(text)) return text;
  const decoded = Buffer.from(text, "base64").toString();
  return decoded.includes("-----BEGIN") ? decoded : text;
}

/**
 * Returns a certificate in canonical PEM, because OpenSSL silently skips a certificate that does not start on its own
 * line.
 */
function readCertificate(base64: string): string | undefined {
  if (!BASE64.test(base64)) return undefined;
  try {
    return new X509Certificate(Buffer.from(base64, "base64")).toString().trim();
  } catch {
    return undefined;
  }
}

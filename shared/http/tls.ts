import { readFileSync } from "node:fs";
import tls from "node:tls";

const LOOPBACK_HOST = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Whether a secret may be sent to `url`: https, or http to this machine. */
export const isHttpsOrLoopback = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && LOOPBACK_HOST.test(hostname));

/** By PEM text: a context takes about 12 ms and 1 MB. */
const contexts = new Map<string, tls.SecureContext>();

/**
 * Node's default CA certificates and `ca`, for single connections: nothing is changed for the process.
 *
 * @param ca - any number of certificates, PEM (RFC 7468). OpenSSL ignores what it cannot read (see ca-certificates.ts)
 * @param roots - instead of Node's defaults
 * @returns undefined without `ca`: Node's default context is sufficient
 */
export function createSecureContext(
  ca: string | undefined,
  roots: readonly string[] = defaultCACertificates(),
): tls.SecureContext | undefined {
  if (ca === undefined) return undefined;
  const key = [...roots, ca].join("\n");
  const context = contexts.get(key) ?? tls.createSecureContext({ ca: [...roots, ca] });
  contexts.set(key, context);
  return context;
}

/**
 * Node's effective CA certificates as PEM, including `--use-system-ca` and `NODE_EXTRA_CA_CERTS`: the `ca` option of a
 * context replaces them.
 */
export function defaultCACertificates(): readonly string[] {
  // Node 22.15 or later.
  if ("getCACertificates" in tls) return tls.getCACertificates("default");
  const { rootCertificates } = tls as { readonly rootCertificates: readonly string[] };
  const path = process.env["NODE_EXTRA_CA_CERTS"];
  if (!path) return rootCertificates;
  try {
    return [...rootCertificates, readFileSync(path, "utf8")];
  } catch {
    // Node warns about it at startup and goes on.
    return rootCertificates;
  }
}

import { readFileSync } from "node:fs";
import tls from "node:tls";

const LOOPBACK_HOST = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Whether the host of `url` is this machine. */
export const isLoopback = ({ hostname }: URL): boolean => LOOPBACK_HOST.test(hostname);

/** Whether a secret may be sent to `url`: over https, or over http to this machine. */
export const isHttpsOrLoopback = (url: URL): boolean =>
  url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));

/** Cached contexts by PEM text. Each takes about 12 ms and 1 MB to create. */
const contexts = new Map<string, tls.SecureContext>();

/**
 * Creates a context that trusts Node's default CA certificates and `ca`. It applies to individual connections and does
 * not affect the rest of the process.
 *
 * @param ca - any number of certificates in PEM format (RFC 7468). OpenSSL ignores any it cannot read (see
 *   ca-certificates.ts)
 * @param roots - certificates to use instead of Node's defaults
 * @returns undefined without `ca`, because Node's default context is sufficient
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
 * Node's effective CA certificates in PEM format, including those from `--use-system-ca` and `NODE_EXTRA_CA_CERTS`.
 * They must be passed explicitly, because the `ca` option of a context replaces them.
 */
export function defaultCACertificates(): readonly string[] {
  // Available in Node 22.15 or later.
  if ("getCACertificates" in tls) return tls.getCACertificates("default");
  const { rootCertificates } = tls as { readonly rootCertificates: readonly string[] };
  const path = process.env["NODE_EXTRA_CA_CERTS"];
  if (!path) return rootCertificates;
  try {
    return [...rootCertificates, readFileSync(path, "utf8")];
  } catch {
    // Node warns about the unreadable file at startup and continues.
    return rootCertificates;
  }
}

import { readFileSync } from "node:fs";
import tls from "node:tls";
import { configError } from "../report/errors.ts";

/**
 * The trust of one run: what node trusts already, and the user's own CA beside it. `undefined` without a CA,
 * since node's own default is then right and costs nothing. Never process-wide.
 *
 * @param ca - certificates as PEM text (RFC 7468), any number of them
 * @throws AuthError of kind `config`
 */
export function trust(ca: string | undefined): tls.SecureContext | undefined {
  if (ca === undefined) return undefined;
  try {
    return tls.createSecureContext({ ca: [...trustedRoots(), ca] });
  } catch {
    // What OpenSSL says is no help, and it may quote the text.
    throw configError([
      { field: "ca", reason: "can't be used for TLS", hint: "Give certificates of authorities in PEM form." },
    ]);
  }
}

/**
 * What node trusts by itself, PEM texts. Its `ca` option replaces that, so it is named again: with `--use-system-ca` and
 * `NODE_EXTRA_CA_CERTS` where node can tell, else (node 20) the bundled roots and that file.
 */
export function trustedRoots(): readonly string[] {
  if ("getCACertificates" in tls) return tls.getCACertificates("default");
  const { rootCertificates } = tls as { rootCertificates: readonly string[] };
  const extra = process.env["NODE_EXTRA_CA_CERTS"];
  if (!extra) return rootCertificates;
  try {
    return [...rootCertificates, readFileSync(extra, "utf8")];
  } catch {
    // Node itself only warns about a file that it cannot read.
    return rootCertificates;
  }
}

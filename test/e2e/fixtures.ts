import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { createCertificates } from "../support/certificates.ts";
import type { ScriptedHandler, ScriptedResponse } from "../support/scripted-server.ts";
import { createSigner, validClaims, type JsonObject } from "../support/tokens.ts";

export const TSG_ID = "1234567890";
/** A client ID in the format that SCM uses for service accounts. */
export const CLIENT_ID = `ci@${TSG_ID}.iam.panserviceaccount.com`;
export const SECRET = randomUUID();
/** A host that only a scenario's proxy or the preload script dns.cjs can resolve. */
export const TEST_HOST = "auth.scm.test";
/** The server's signer, and a signer whose key is not in the server's key set. */
export const [signer, otherSigner] = await Promise.all([createSigner(), createSigner()]);
/** Certificates for TLS servers, and certificates from an authority that no client trusts. */
export const [tls, untrustedTls] = [createCertificates(), createCertificates()];

/** Creates claims like those that SCM issues. Undefined changes remove claims. */
export const claims = (changes: JsonObject = {}): JsonObject => ({
  ...validClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }),
  ...changes,
});

/** Returns the time `offset` seconds from now, in seconds since 1970. */
export const inSeconds = (offset: number): number => Math.floor(Date.now() / 1000) + offset;

/** Creates a token response like SCM's. Undefined changes remove members. */
export const tokenResponse = (token: unknown, changes: JsonObject = {}): ScriptedResponse => ({
  body: {
    access_token: token,
    token_type: "Bearer",
    expires_in: 899,
    scope: `profile email tsg_id:${TSG_ID}`,
    ...changes,
  },
});

/** Issues a valid token, optionally with changes to its claims, its header, or the response. */
export const issueToken =
  (getClaims: () => JsonObject = () => ({}), header: JsonObject = {}, response: JsonObject = {}): ScriptedHandler =>
  () =>
    tokenResponse(signer.sign(claims(getClaims()), header), response);

export const keySet = (...keys: readonly unknown[]): ScriptedResponse => ({ body: { keys } });

/** The key set that verifies valid tokens. */
export const validKeySet = keySet(signer.jwk);

/** Creates an OAuth error response (RFC 6749 section 5.2). */
export const oauthError = (error: unknown, description?: unknown, status = 400): ScriptedResponse => ({
  status,
  body: { error, error_description: description },
});

/** A response such as a captive portal, a proxy, or a firewall returns. */
export const HTML_RESPONSE: ScriptedResponse = {
  headers: { "content-type": "text/html; charset=utf-8" },
  body: "<!DOCTYPE html><html><head><title>Log in</title></head><body>Accept the terms.</body></html>",
};

/** Returns a value of NODE_OPTIONS that loads a script from test/e2e/preload before the action. */
export const preload = (name: string): string =>
  `--require ${JSON.stringify(fileURLToPath(new URL(`preload/${name}.cjs`, import.meta.url)))}`;

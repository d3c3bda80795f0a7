import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { createCertificates } from "../support/certificates.ts";
import type { ScriptedHandler, ScriptedResponse } from "../support/scripted-server.ts";
import { createSigner, validClaims, type JsonObject } from "../support/tokens.ts";

export const TSG_ID = "1234567890";
/** A service account as SCM names them. */
export const CLIENT_ID = `ci@${TSG_ID}.iam.panserviceaccount.com`;
export const SECRET = randomUUID();
/** A host that only the proxy of a scenario, or the preload script dns.cjs, can resolve. */
export const TEST_HOST = "auth.scm.test";
/** The signer of the server, and one that is not in its key set. */
export const [signer, otherSigner] = await Promise.all([createSigner(), createSigner()]);
/** Certificates of servers with TLS, and those of an authority that no client trusts. */
export const [tls, untrustedTls] = [createCertificates(), createCertificates()];

/** Claims as SCM issues them now. Changed ones that are undefined are missing. */
export const claims = (changes: JsonObject = {}): JsonObject => ({
  ...validClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }),
  ...changes,
});

/** Seconds since 1970, `offset` from now. */
export const inSeconds = (offset: number): number => Math.floor(Date.now() / 1000) + offset;

/** A token response as SCM's. Changed members that are undefined are missing. */
export const tokenResponse = (token: unknown, changes: JsonObject = {}): ScriptedResponse => ({
  body: {
    access_token: token,
    token_type: "Bearer",
    expires_in: 899,
    scope: `profile email tsg_id:${TSG_ID}`,
    ...changes,
  },
});

/** Issues a valid token with changed claims, header or response. */
export const issueToken =
  (getClaims: () => JsonObject = () => ({}), header: JsonObject = {}, response: JsonObject = {}): ScriptedHandler =>
  () =>
    tokenResponse(signer.sign(claims(getClaims()), header), response);

export const keySet = (...keys: readonly unknown[]): ScriptedResponse => ({ body: { keys } });

/** The key set that verifies valid tokens. */
export const validKeySet = keySet(signer.jwk);

/** An OAuth error response (RFC 6749 section 5.2). */
export const oauthError = (error: unknown, description?: unknown, status = 400): ScriptedResponse => ({
  status,
  body: { error, error_description: description },
});

/** What a captive portal, a proxy or a firewall returns. */
export const HTML_RESPONSE: ScriptedResponse = {
  headers: { "content-type": "text/html; charset=utf-8" },
  body: "<!DOCTYPE html><html><head><title>Log in</title></head><body>Accept the terms.</body></html>",
};

/** The value of NODE_OPTIONS that loads a script of test/e2e/preload before the action. */
export const preload = (name: string): string =>
  `--require ${JSON.stringify(fileURLToPath(new URL(`preload/${name}.cjs`, import.meta.url)))}`;

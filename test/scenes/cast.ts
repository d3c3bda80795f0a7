import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";

import { makeCertificates } from "../support/certificate.ts";
import type { ScriptedAnswer, ScriptedHandler } from "../support/scripted-server.ts";
import { honestClaims, makeSigner, type JsonObject, type Segment } from "../support/tokens.ts";

/** Who plays in the scenes. */

/** Digits of the tenant. */
export const TENANT = "1234567890";
/** A service account as SCM names them. */
export const CLIENT = `ci@${TENANT}.iam.panserviceaccount.com`;
/** Its secret, unless a scene has one of its own. */
export const SECRET = randomUUID();
/** A host that only a proxy knows. */
export const TEST_HOST = "auth.scm.test";
/** The `aud` and so on are ours, the signature is not. */
export const [signer, stranger] = await Promise.all([makeSigner(), makeSigner()]);
/** Of the server that scenes with TLS use, and of one whose authority nobody trusts. */
export const [tls, foreignTls] = await Promise.all([makeCertificates(), makeCertificates()]);

/** Claims as SCM writes them, now, with some changed or, where undefined, left out. */
export const claims = (change: JsonObject = {}): JsonObject => ({
  ...honestClaims({ clientId: CLIENT, tsgId: TENANT }),
  ...change,
});

/** Seconds since 1970, `offset` from now. */
export const inSeconds = (offset: number): number => Math.floor(Date.now() / 1000) + offset;

/** A token answer as SCM's, with fields changed or, where undefined, left out. */
export const answerWith = (token: unknown, change: JsonObject = {}): ScriptedAnswer => ({
  body: {
    access_token: token,
    token_type: "Bearer",
    expires_in: 899,
    scope: `profile email tsg_id:${TENANT}`,
    ...change,
  },
});

/** Gives a token made when it is asked for. */
export const give =
  (make: () => string, change: JsonObject = {}): ScriptedHandler =>
  () =>
    answerWith(make(), change);

/** Gives an honestly signed token with some claims changed. */
export const giveClaims = (change: () => JsonObject, header: JsonObject = {}): ScriptedHandler =>
  give(() => signer.sign(claims(change()), header));

/** Gives an honestly signed token whose payload is whatever one likes. */
export const givePayload = (payload: Segment): ScriptedHandler => give(() => signer.sign(payload));

/** Gives an honest token. */
export const giveToken: ScriptedHandler = giveClaims(() => ({}));

/** A key set. */
export const keySet = (...keys: readonly unknown[]): ScriptedAnswer => ({ body: { keys } });

/** The key set that proves honest tokens. */
export const giveKeys = keySet(signer.jwk);

/** An OAuth error (RFC 6749 section 5.2). */
export const refusal = (error: unknown, description?: unknown, status = 400): ScriptedAnswer => ({
  status,
  body: { error, error_description: description },
});

/** A web page. */
export const page = (status: number, html: string, headers: Readonly<Record<string, string>> = {}): ScriptedAnswer => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8", ...headers },
  body: html,
});

/** The value of NODE_OPTIONS that loads a script of test/e2e/preload before the action. */
export const preload = (name: string): string =>
  `--require ${JSON.stringify(fileURLToPath(new URL(`../e2e/preload/${name}.cjs`, import.meta.url)))}`;

/** What a captive portal, a proxy or a firewall shows. */
export const HTML = "<!DOCTYPE html><html><head><title>Log in</title></head><body>Accept the terms.</body></html>";

/** What a job may set that would make node trust anyone, and what the action says to it. */
export const UNVERIFIED = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
export const IGNORED = "NODE_TLS_REJECT_UNAUTHORIZED=0 is set in this job; it is ignored here";

import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthError } from "../../shared/errors.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { systemClock } from "../../shared/clock.ts";
import { createCertificates } from "../support/certificates.ts";
import { startChaosProxy, type Faults } from "../support/chaos-proxy.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { createSigner, validClaims } from "../support/tokens.ts";

/**
 * Truncates the responses of a sign-in at regular positions in three ways. SCM_AUTH_TRUNCATION_STEP is the distance in
 * bytes between two positions. The default is 16. A value of 1 takes about seven minutes.
 */
const STEP = Number(process.env["SCM_AUTH_TRUNCATION_STEP"] ?? 16);
/** On a silent connection, each attempt takes its whole time limit, so fewer positions are tested. */
const STALL_STEP = STEP * 8;
const PARALLEL = 16;
/** Number of bytes at the end that a client does not need: the TLS close_notify alert. */
const TLS_TRAILER = 32;

const clientId = "ci@1234567890.iam.panserviceaccount.com";
const clientSecret = "0c7b9d52-5b2f-4d0e-9d0a-6f6d2b1c3a4e";

const WAYS: Readonly<Record<string, { readonly fault: (after: number) => Faults; readonly step: number }>> = {
  "by FIN": { fault: (after) => ({ endAfter: after }), step: STEP },
  "by RST": { fault: (after) => ({ resetAfter: after }), step: STEP },
  "by silence": { fault: (after) => ({ stallAfter: after }), step: STALL_STEP },
};

const signer = await createSigner();
const token = signer.sign(validClaims({ clientId, tsgId: "1234567890", ttl: 3600 }));
const tls = createCertificates();

for (const usesTls of [false, true])
  for (const target of ["token", "jwks"] as const)
    for (const [way, { fault, step }] of Object.entries(WAYS))
      test(`rejects a ${target} response truncated ${way} at any byte, over ${usesTls ? "TLS" : "plain TCP"}`, async (t) => {
        const server = await startScriptedServer({
          token: { body: { access_token: token, token_type: "Bearer", expires_in: 3600 } },
          jwks: { body: { keys: [signer.jwk] } },
          ...(usesTls && { tls }),
        });
        t.after(server.close);

        const signIn = async (faults: Faults, timeoutMs: number) => {
          const proxy = await startChaosProxy(server.port, faults);
          const { tokenUrl, jwksUrl, port } = server;
          const through = (url: string): string => url.replace(`:${port}`, `:${proxy.port}`);
          const authRequest = AuthRequest.parse({
            ...{ clientId, clientSecret },
            tokenUrl: target === "token" ? through(tokenUrl) : tokenUrl,
            jwksUrl: target === "jwks" ? through(jwksUrl) : jwksUrl,
            ca: usesTls ? tls.ca : undefined,
          });
          const context = createSignInContext(authRequest, { policy: { maxRetries: 0 } });
          try {
            await requestToken(context, { deadline: systemClock.monotonic() + timeoutMs });
            return { error: undefined, length: proxy.connections[0]?.bytesReceived ?? 0 };
          } catch (error) {
            return { error, length: 0 };
          } finally {
            await proxy.close();
          }
        };

        const whole = await signIn({}, 20_000);
        assert.equal(whole.error, undefined);
        const length = whole.length - (usesTls ? TLS_TRAILER : 0);
        assert.ok(length > 100);
        const positions = Array.from({ length: Math.ceil(length / step) }, (_, n) => n * step);
        const worker = async (): Promise<void> => {
          for (let position = positions.pop(); position !== undefined; position = positions.pop()) {
            const { error } = await signIn(fault(position), way === "by silence" ? 500 : 20_000);
            assert.ok(AuthError.isAuthError(error), `accepted a response truncated after ${position} bytes`);
            assert.match(error.kind, /^(network|timeout|protocol)$/);
            assert.ok(!error.message.includes(clientSecret));
          }
        };
        const count = positions.length;
        await Promise.all(Array.from({ length: PARALLEL }, worker));
        t.diagnostic(`${count} positions, all rejected`);
      });

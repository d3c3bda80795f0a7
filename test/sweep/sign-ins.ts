import assert from "node:assert/strict";
import type { Seconds } from "../../shared/clock.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { mint } from "../../shared/token/prove-token.ts";
import { tokenCanaries } from "../support/canaries.ts";
import { runAction } from "../support/runner.ts";
import { CLIENT, type Front } from "./stage.ts";
import type { Signer } from "./table.ts";

/** What came of one sign-in. It ends in no other way. */
export type Outcome =
  | { readonly proved: true }
  /** `kind` is the error's; undefined where only a log tells of it. */
  | { readonly proved: false; readonly kind: string | undefined };

/** One sign-in against `front`, whose server gives `token`. @throws Error when it ends as it never may */
export type SignIn = (front: Front, token: string, timeout: Seconds) => Promise<Outcome>;

/** One try: a second one would be cut like the first. */
const ONE_TRY = {
  policy: { maxRetries: 0, backoff: 0, spreadOverload: false },
  verify: true,
  userAgent: "scm-auth/test",
};

/** Called in this process; what `front` says of proxies must stand in its environment. */
const core: SignIn = async ({ tokenUrl, jwksUrl, ca, secureContext }, token, timeout) => {
  const request = AuthRequest.parse({ ...CLIENT, tokenUrl, jwksUrl, ca });
  try {
    const { value } = await mint(request, { ...ONE_TRY, timeout, secureContext });
    assert.ok(value === token, "another token than the one served");
    return { proved: true };
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.ok(!error.message.includes(CLIENT.clientSecret), "the secret stands in an error");
    for (const canary of tokenCanaries(token)) assert.ok(!error.message.includes(canary), "a token stands in an error");
    return { proved: false, kind: error.kind };
  }
};

/** A step of a workflow: the bundle of the action in a process of its own, every output searched for secrets. */
const step: SignIn = async ({ tokenUrl, jwksUrl, ca = "", env }, token, timeout) => {
  const run = await runAction({
    inputs: {
      "client-id": CLIENT.clientId,
      "client-secret": CLIENT.clientSecret,
      "token-url": tokenUrl,
      "jwks-url": jwksUrl,
      "ca-cert": ca,
      "max-retries": "0",
      timeout: String(timeout),
    },
    env,
    canaries: [CLIENT.clientSecret, tokenCanaries(token).at(-1) ?? token],
    timeoutMs: 60_000,
  });
  const { state, path, summary } = run;
  assert.deepEqual({ state, env: run.env, path, summary }, { state: {}, env: {}, path: [], summary: "" });
  if (run.exitCode === 0) {
    assert.ok(run.token === token, "another token than the one served");
    return { proved: true };
  }
  assert.equal(run.exitCode, 1, `ended by ${run.signal ?? "nothing"}\n${run.log}`);
  assert.deepEqual(run.outputs, {}, "outputs of a step that failed");
  const errors = run.annotations.filter(({ level }) => level === "error");
  assert.equal(errors.length, 1, run.log);
  assert.match(errors[0]?.message ?? "", /^[^\n]+\nHint: [^\n]+$/);
  return { proved: false, kind: undefined };
};

/** Those of both. */
export const SIGN_INS: Readonly<Record<Signer, SignIn>> = { core, step };

import { systemClock, type Milliseconds } from "../shared/clock.ts";
import { getProxyPasswords } from "../shared/http/proxy.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { createSignInContext, requestToken, type SignInContext } from "../shared/sign-in.ts";
import { VERSION } from "../shared/version.ts";
import { runGuarded } from "./exit-guard.ts";
import { readInputs, type Inputs } from "./inputs.ts";
import { logEvent, logWarnings, reportFailure, summaryLines, type StepResult } from "./log.ts";
import { toOutputs } from "./outputs.ts";
import { Runner } from "./runner.ts";

/** How long after the timeout the process exits if the step has not ended. */
const EXIT_GRACE_MS: Milliseconds = 1500;

const runner = new Runner();

/** Runs the step. The order matters: mask, validate, sign in and verify, and set outputs. */
async function run(signal: AbortSignal, setTimeLimit: (limit: Milliseconds) => void): Promise<void> {
  const secret = runner.getSecretInput("client-secret", getProxyPasswords(process.env));
  runner.info(`scm-auth ${VERSION}`);
  runner.assertOutputsWritable();
  const inputs = readInputs(runner, secret);
  logWarnings(runner, inputs.authRequest, process.env);

  const timeoutMs = inputs.timeout * 1000;
  setTimeLimit(timeoutMs + EXIT_GRACE_MS);
  const limits = { deadline: systemClock.monotonic() + timeoutMs, signal };
  const context = createSignInContext(inputs.authRequest, {
    verify: inputs.verify,
    policy: inputs.policy,
    redactor: runner.redactor,
    onToken: (token) => {
      runner.mask(token);
    },
    onEvent: (event) => {
      logEvent(runner, event);
    },
  });
  if (inputs.check) {
    const { runCheck } = await import("./check.ts");
    await runCheck(runner, context, limits);
    return;
  }

  const result = await getToken(inputs, context, limits);
  await runner.flush();
  signal.throwIfAborted();
  for (const [name, value] of Object.entries(toOutputs(result))) runner.output(name, value);
  for (const line of summaryLines(result, inputs.verify)) runner.info(line);
}

/** Returns a verified token: unsealed, reused from the auth file, or newly requested. Every token is masked first. */
async function getToken(inputs: Inputs, context: SignInContext, limits: RequestLimits): Promise<StepResult> {
  const sealing = inputs.seal || inputs.sealedToken !== undefined ? await import("./sealed-token.ts") : undefined;
  const signIn = async () => {
    const unsealed = await sealing?.unseal(runner, context, inputs, limits);
    if (unsealed) return { token: unsealed, source: "sealed" as const };
    return { token: await requestToken(context, limits), source: "new" as const };
  };
  const { authFile } = inputs;
  const result = authFile
    ? await (
        await import("./auth-file.ts")
      ).writeAuthFile({ runner, context, inputs: { ...inputs, authFile }, env: process.env, limits, signIn })
    : await signIn();
  const sealedToken = inputs.seal ? await sealing?.seal(runner, context, result) : undefined;
  return { ...result, sealedToken };
}

runGuarded(run, (error) => {
  reportFailure(runner, error);
});

import type { AccessToken } from "../shared/access-token.ts";
import { AuthError } from "../shared/errors.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { sealAccessToken, unsealAndVerify } from "../shared/sealed-token.ts";
import type { SignInContext } from "../shared/sign-in.ts";
import type { Inputs } from "./inputs.ts";
import type { StepResult } from "./log.ts";
import type { Runner } from "./runner.ts";

/**
 * Returns the verified token from the input `sealed-token`. A sealed token that cannot be used is not an error:
 * undefined is returned, and the step signs in. A warning says why, because otherwise every job in a matrix might sign
 * in unnoticed. Expired tokens cause no warning because they are normal in re-runs.
 *
 * @throws AuthError if the signing keys cannot be requested, because a sign-in also needs them
 */
export async function unseal(
  runner: Runner,
  context: SignInContext,
  { sealedToken, minTtl }: Pick<Inputs, "sealedToken" | "minTtl">,
  limits: RequestLimits,
): Promise<AccessToken | undefined> {
  if (sealedToken === undefined) return undefined;
  if (sealedToken === "") {
    runner.warning(
      "sealed-token is empty; signing in. Check that the job that signs in sets `seal: true`, that its `outputs:` contain sealed-token, and that this job lists it in `needs:`.",
    );
    return undefined;
  }
  try {
    return await unsealAndVerify(context, sealedToken, { minTtl, limits });
  } catch (error) {
    // Any other error comes from a request.
    if (!AuthError.isAuthError(error) || error.kind !== "verification") throw error;
    const message = `Ignoring the sealed token (${error.description.replace(/\.$/, "")}); signing in.`;
    if (error.code === "sealed_token_expired") runner.info(message);
    else runner.warning(`${message} ${error.hint} See ${error.docs}`);
    return undefined;
  }
}

/**
 * Returns the value of the output `sealed-token`, or undefined if the step itself received a sealed token.
 *
 * @throws AuthError
 */
export async function seal(runner: Runner, { authRequest, clock }: SignInContext, { token, source }: StepResult) {
  if (source !== "sealed") return await sealAccessToken(authRequest, token, clock);
  runner.info("sealed-token output not set: pass on the sealed token this job received.");
  return undefined;
}

import { getMinRemaining } from "../../shared/access-token.ts";
import { systemClock } from "../../shared/clock.ts";
import { configError } from "../../shared/errors.ts";
import { toAccessTokenResult } from "../access-token-result.ts";
import type { ProviderState } from "../auth-files.ts";
import { getToken } from "../service-accounts.ts";
import { collectIssues, hasSecret, parseSignInArgs } from "../sign-in-args.ts";
import { hasUnknown, toArgs, type CheckCache, type Properties } from "./inputs.ts";
import type { DynamicResource } from "./resource.ts";

/** The engine applies `ignoreChanges` before `check`. */
const IGNORED_SECRET_HINT =
  "Set SCM_CLIENT_SECRET, or pass clientSecret without ignoreChanges: Pulumi takes an ignored argument from the state, which never contains the secret.";

/**
 * The resource AccessToken.
 *
 * @throws AuthError from each method
 */
export function createAccessTokenResource(cache: CheckCache, { accounts, env }: ProviderState): DynamicResource {
  const parse = (inputs: Properties) => parseSignInArgs(toArgs("access-token", inputs), "AccessToken", env);
  const createOutputs = async (inputs: Properties): Promise<Properties> => {
    const config = parse(cache.withSecret(inputs));
    const token = await getToken(accounts.get(config), config.minTtl);
    return { ...inputs, ...toAccessTokenResult(token), lifetimeSeconds: (token.lifetime ?? 0) / 1000 };
  };

  return {
    check: (olds, news) => {
      const inputs = cache.remember(olds, news);
      if (hasUnknown(news)) return inputs;
      // A preview needs no token, so the arguments are only validated.
      const { issues } = collectIssues(() => parse(news));
      if (issues.length === 0) return inputs;
      const isIgnored = Object.keys(olds).length > 0 && !hasSecret(news, env);
      throw configError(
        issues.map((issue) =>
          isIgnored && issue.field.startsWith("clientSecret") ? { ...issue, hint: IGNORED_SECRET_HINT } : issue,
        ),
      );
    },
    diff: (olds, news) => {
      const hasChanged = cache.consume(news);
      // A refresh does not renew the token, so it must not show a diff.
      return { changes: hasChanged !== undefined && (hasChanged || needsRenewal(olds, news)) };
    },
    create: async (inputs) => {
      const outs = await createOutputs(inputs);
      return { id: `${String(inputs["name"])} ${String(outs["scope"])}`, outs };
    },
    update: createOutputs,
    read: () => undefined,
    delete: () => undefined,
  };
}

/** Whether the token in the state has less than the minimum remaining lifetime. */
function needsRenewal({ expiresAt, lifetimeSeconds }: Properties, { minTtl }: Properties): boolean {
  const remaining = Date.parse(String(expiresAt)) - systemClock.now();
  const minRemaining = getMinRemaining(toNumber(minTtl), (toNumber(lifetimeSeconds) ?? 0) * 1000);
  // Also true if the date is invalid.
  return !(remaining > minRemaining);
}

const toNumber = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

import { getMinRemaining } from "../../shared/access-token.ts";
import { systemClock } from "../../shared/clock.ts";
import { configError } from "../../shared/errors.ts";
import { getToken, toResult, type ServiceAccounts } from "../service-accounts.ts";
import { collectIssues, hasSecret, parseSignInArgs, pickArgs } from "../sign-in-args.ts";
import { hasUnknown, type CheckCache } from "./diff.ts";
import type { CustomResource, Properties } from "./custom-resource.ts";

/** Needed because the engine applies `ignoreChanges` before it calls `check`. */
const IGNORED_SECRET_HINT =
  "Set SCM_CLIENT_SECRET, or pass clientSecret without ignoreChanges: Pulumi takes an ignored argument from the state, which never contains the secret.";

/** Creates the implementation of the AccessToken resource. */
export function createAccessTokenResource(cache: CheckCache, accounts: ServiceAccounts): CustomResource {
  const parse = (inputs: Properties) => parseSignInArgs(pickArgs(inputs, "AccessToken"), "AccessToken");
  const createOutputs = async (inputs: Properties): Promise<Properties> => {
    const config = parse(cache.withSecret(inputs));
    const token = await getToken(accounts.get(config), config.minTtl);
    return { ...inputs, ...toResult(token), lifetimeSeconds: (token.lifetime ?? 0) / 1000 };
  };

  return {
    check: (olds, news) => {
      const inputs = cache.remember(olds, news);
      if (hasUnknown(news)) return inputs;
      // A preview needs no token, so the arguments are only validated.
      const { issues } = collectIssues(() => parse(news));
      if (issues.length === 0) return inputs;
      const isIgnored = Object.keys(olds).length > 0 && !hasSecret(news);
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
  // This is also true if the date is invalid.
  return !(remaining > minRemaining);
}

const toNumber = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

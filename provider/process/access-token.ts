import { systemClock, type Milliseconds } from "../../shared/clock.ts";
import { leastLeft } from "../../shared/handoff/life-left.ts";
import { KNOWN, signInOf } from "../sign-in/arguments.ts";
import { factsOfToken } from "../sign-in/token-facts.ts";
import type { Workshop } from "./auth-file.ts";
import type { DynamicProvider } from "./dynamic-provider.ts";
import { argumentsOf, hasUnknown, type Properties } from "./inputs.ts";

const known = KNOWN.AccessToken;

/** The life of an AccessToken. Throws what goes wrong as AuthError. */
export function accessTokenProvider({ memory, accounts, env }: Workshop): DynamicProvider {
  const outputsOf = async (inputs: Properties): Promise<Properties> => {
    const signIn = signInOf(argumentsOf(memory.complete(inputs)), known, env);
    const token = await accounts.of(signIn).token(signIn.minTtl);
    return { ...inputs, ...factsOfToken(token), life: (token.life ?? 0) / 1000 };
  };
  return {
    check: (olds, news) => {
      const inputs = memory.keep(olds, news);
      // Nothing is asked for yet: a preview needs no token.
      if (!hasUnknown(news)) signInOf(argumentsOf(news), known, env);
      return Promise.resolve({ inputs, failures: [] });
    },
    diff: (_id, olds, news) => {
      const checked = memory.take(news);
      // A refresh: it gets no new token, and has none to show.
      if (checked === undefined) return Promise.resolve({ changes: false });
      return Promise.resolve({ changes: checked.changed.length > 0 || endsSoon(olds, news) });
    },
    create: async (inputs) => {
      const outs = await outputsOf(inputs);
      return { id: `${String(inputs["name"])} ${String(outs["scope"])}`, outs };
    },
    update: async (_id, _olds, news) => ({ outs: await outputsOf(news) }),
    read: (id, outputs) => Promise.resolve({ id, props: outputs }),
    delete: () => Promise.resolve(),
  };
}

/** Whether a token in the state is too near its end to be handed on. */
function endsSoon({ expiresAt, life }: Properties, { minTtl }: Properties): boolean {
  const left: Milliseconds = Date.parse(String(expiresAt)) - systemClock.wall();
  const wanted = leastLeft(numberOf(minTtl), (numberOf(life) ?? 0) * 1000);
  return !(left > wanted);
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

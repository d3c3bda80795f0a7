import { systemClock, type Clock } from "../../shared/clock.ts";
import { useSealed } from "../../shared/handoff/proved-sealed-token.ts";
import { seal } from "../../shared/handoff/sealed-token.ts";
import { judgeSealingSecret } from "../../shared/handoff/sealing-key.ts";
import { AuthError, configError } from "../../shared/report/errors.ts";
import type { AccessToken } from "../../shared/token/access-token.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";
import type { Source } from "../narrate.ts";
import type { SealingWish, StepOptions } from "../parse-inputs.ts";
import type { Runner } from "../runner.ts";

/** What the step lends to its sealing. */
export interface SealingPart {
  readonly runner: Runner;
  readonly request: AuthRequest;
  readonly options: StepOptions;
  readonly wish: SealingWish;
  /** Proves a token that was found. Masks it first. */
  readonly prove: (token: string) => Promise<AccessToken>;
  readonly clock?: Clock;
}

/** What a step does with sealed tokens. */
export interface Sealing {
  /** The token that another job sealed, proved; undefined, and a line that says why, when it is of no use. */
  readonly open: () => Promise<AccessToken | undefined>;
  /** Seals a token for other jobs, if that is wished; undefined otherwise. @throws AuthError */
  readonly seal: (token: AccessToken, source: Source) => Promise<string | undefined>;
}

/**
 * Makes ready, before any request is sent.
 *
 * @throws AuthError of kind `config` when a token can't be sealed under this secret
 */
export function prepareSealing(part: SealingPart): Sealing {
  const { runner, request, options, wish, prove, clock = systemClock } = part;
  const weakness = wish.seal ? judgeSealingSecret(request.clientSecret) : undefined;
  if (weakness !== undefined) throw configError([weakness]);
  return {
    open: async () => {
      if (wish.sealed === undefined) return undefined;
      if (wish.sealed === "") {
        runner.notice(DROPPED);
        return undefined;
      }
      try {
        return await useSealed(request, wish.sealed, { minTtl: options.minTtl, clock, prove });
      } catch (error) {
        if (!AuthError.isAuthError(error) || error.kind === "aborted") throw error;
        runner.say(`The sealed token is not used: ${error.message.replace(/^[^:]+: /, "")} Signing in.`);
        return undefined;
      }
    },
    seal: async (token, source) => {
      if (!wish.seal) return undefined;
      if (source === "sealed") {
        runner.say("Nothing is sealed: the token is another job's, whose sealed-token can be passed on.");
        return undefined;
      }
      return await seal(request, token, clock.wall());
    },
  };
}

/** The runner drops a job's output without a word to the job that gets it. */
const DROPPED =
  "sealed-token is empty, so this job signs in by itself. Did the job that seals run, and does its output hold no masked text (a client id or TSG id that is a secret)?";

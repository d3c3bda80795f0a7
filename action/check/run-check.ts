import { systemClock, type Clock } from "../../shared/clock.ts";
import { trust } from "../../shared/http/tls.ts";
import { abortedError, AuthError } from "../../shared/report/errors.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";
import { userAgent } from "../../shared/version.ts";
import { inputNames } from "../inputs.ts";
import { tellEvent } from "../narrate.ts";
import type { StepOptions } from "../parse-inputs.ts";
import type { Runner } from "../runner.ts";
import { Diagnosis } from "./diagnosis.ts";
import { factsOf } from "./facts.ts";
import { reach } from "./reach.ts";
import { signIn, type Seen } from "./sign-in.ts";
import { toLines, toMarkdown, verdict } from "./summary.ts";
import type { Lookup } from "./way.ts";

/** What a step lends to its check. */
export interface CheckPart {
  readonly runner: Runner;
  readonly request: AuthRequest;
  readonly options: Pick<StepOptions, "verify" | "policy" | "timeout">;
  readonly signal: AbortSignal;
  /** Where the runner's own variables are. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Default: as node looks names up. */
  readonly lookup?: Lookup;
}

/**
 * Check mode: goes the way to the server step by step, signs in, proves the token, and tells in summary and log what
 * came of each step. It hands out nothing.
 *
 * @throws AuthError, that of the first step that failed, once all is told; the raw error where nobody thought of it
 */
export async function runCheck(part: CheckPart): Promise<void> {
  const { runner, request, options, signal, clock = systemClock, lookup } = part;
  const diagnosis = new Diagnosis(clock);
  const seen: Seen = {};
  const deadline = clock.monotonic() + options.timeout * 1000;
  const secureContext = trust(request.ca);
  const failures: unknown[] = [];
  try {
    // The way first, since no request gets further than it.
    await reach(request.tokenUrl, diagnosis, { secureContext, deadline, signal, clock, lookup });
    await signIn(request, diagnosis, seen, {
      verify: options.verify,
      policy: options.policy,
      timeout: Math.max(0, deadline - clock.monotonic()) / 1000,
      userAgent,
      redactor: runner.redactor,
      secureContext,
      signal,
      clock,
      onToken: (token) => {
        runner.mask(token);
      },
      onEvent: (event) => {
        tellEvent(runner, event);
      },
    });
  } catch (error) {
    failures.push(error);
  }
  // Something else went wrong meanwhile, and is told.
  if (signal.aborted) throw abortedError();
  await runner.flush();
  tell(part, diagnosis, seen);
  for (const error of failures) throw error;
}

function tell({ runner, request, env }: CheckPart, diagnosis: Diagnosis, seen: Seen): void {
  // The runner looks again, at whole lines.
  const { quote } = runner.redactor;
  const report = { diagnosis, facts: factsOf(request, seen, env), names: inputNames, quote };
  for (const line of toLines(report)) runner.say(line);
  try {
    runner.summary(toMarkdown(report));
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    runner.warning(`${error.message} What it would say (${verdict(diagnosis)}) stands in the log.`);
  }
}

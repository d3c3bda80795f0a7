import { sleep, type Clock, type Milliseconds } from "../../shared/clock.ts";
import { abortedError, AuthError } from "../../shared/report/errors.ts";

/** What the auth server does at a time: answers, answers 503, does not answer, or says no. */
export type Weather = "fair" | "storm" | "silence" | "refusal";

/** A token that is only its life. */
export interface SimulatedToken {
  readonly lifetime: Milliseconds;
  readonly life: Milliseconds;
}

/** A simulated auth server, whose weather a test makes. */
export interface SimulatedServer {
  weather: Weather;
  /** What it asks to wait in a storm (`Retry-After`). Default: nothing. */
  retryAfterMs?: Milliseconds;
  /** One request, in the form that renewals want. */
  readonly mint: (signal: AbortSignal) => Promise<SimulatedToken>;
  /** When each request came, on the monotonic clock. */
  readonly requests: readonly Milliseconds[];
  /** Requests under way, and the most of them that there ever were at once. */
  readonly underWay: { now: number; most: number };
}

/** Makes a server whose tokens live for `life` and that takes `latency` to answer. */
export function makeSimulatedServer(clock: Clock, life: Milliseconds, latency: () => Milliseconds): SimulatedServer {
  const requests: Milliseconds[] = [];
  const underWay = { now: 0, most: 0 };
  const answer = async (signal: AbortSignal): Promise<SimulatedToken> => {
    const sentAt = clock.monotonic();
    // What it does with a request is decided when the request comes.
    const { weather } = server;
    await sleep(clock, weather === "silence" ? 30_000 : latency(), signal);
    if (signal.aborted) throw abortedError();
    switch (weather) {
      case "fair":
        return { life, lifetime: life - (clock.monotonic() - sentAt) };
      case "storm":
        throw new AuthError("status 503.", {
          ...{ kind: "server", code: "server_error", status: 503 },
          ...(server.retryAfterMs !== undefined && { retryAfterMs: server.retryAfterMs }),
        });
      case "silence":
        throw new AuthError("no answer.", { kind: "timeout", code: "no_answer" });
      case "refusal":
        throw new AuthError("no such client.", {
          kind: "rejected",
          code: "invalid_client",
          status: 401,
          oauthError: "invalid_client",
        });
    }
  };
  const server: SimulatedServer = {
    weather: "fair",
    requests,
    underWay,
    mint: async (signal) => {
      requests.push(clock.monotonic());
      underWay.most = Math.max(underWay.most, ++underWay.now);
      try {
        return await answer(signal);
      } finally {
        underWay.now--;
      }
    },
  };
  return server;
}

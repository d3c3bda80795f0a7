import type { Milliseconds } from "../clock.ts";
import type { AccessToken } from "../token/access-token.ts";
import type { ElapsedTime } from "./elapsed-time.ts";

/** What keeping fresh needs to know of a token. */
export interface Perishable {
  /** How long it lives from the moment it is given, in milliseconds; unknown counts as ended. */
  readonly lifetime: Milliseconds | undefined;
  /** Its whole life, from its making; unknown is as long as what it has left. */
  readonly life?: Milliseconds | undefined;
}

/** A token in use. */
export interface HeldToken<T = AccessToken> {
  readonly token: T;
  /** Its whole life. */
  readonly life: Milliseconds;
  /** What is left of it now; negative once it has ended. A machine's sleep counts. */
  readonly left: () => Milliseconds;
}

/** Begins to count down a token that was given just now. */
export function hold<T extends Perishable>(token: T, time: ElapsedTime): HeldToken<T> {
  const lifetime = token.lifetime ?? 0;
  const endsAt = time.now() + lifetime;
  return { token, life: Math.max(token.life ?? 0, lifetime), left: () => endsAt - time.now() };
}

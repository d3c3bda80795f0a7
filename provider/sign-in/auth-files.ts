import { resolve } from "node:path";
import { systemClock, type Clock, type Milliseconds, type Seconds } from "../../shared/clock.ts";
import { makeSureOfAuthFile, type AuthFilePorts, type MadeSure } from "../../shared/handoff/auth-file.ts";
import { PROVING } from "../../shared/handoff/found-auth-file.ts";
import { askEndpoint } from "../../shared/handoff/found-endpoint.ts";
import { Renewals } from "../../shared/handoff/keep-fresh.ts";
import type { AccessToken } from "../../shared/token/access-token.ts";
import { abortedError } from "../../shared/report/errors.ts";
import type { Account } from "./account.ts";
import { quietClock } from "./quiet-clock.ts";

/** A token that somebody else has renewed lives longer than ours by at least so much. */
const NEWER: Seconds = 1;

interface Fresh {
  readonly accountKey: string;
  readonly renewals: Renewals;
}

/** The auth files that this process has made sure of, and keeps fresh as long as it lives. */
export class AuthFiles {
  readonly #isWanted: () => boolean;
  readonly #underWay = new Map<string, Promise<MadeSure>>();
  readonly #fresh = new Map<string, Fresh>();

  /** @param isWanted - asked before each renewal; once it is false the file is left to itself */
  constructor(isWanted: () => boolean = () => true) {
    this.#isWanted = isWanted;
  }

  /**
   * Makes sure that there is a file with a token that lives, and keeps it fresh from then on. Whoever asks for the
   * same file while that is under way gets the same answer.
   *
   * @param path - relative to the working folder, or absolute
   * @throws AuthError
   */
  makeSure(path: string, account: Account, minTtl?: Seconds): Promise<MadeSure> {
    const place = resolve(path);
    const flight = `${place}\n${account.key}`;
    let made = this.#underWay.get(flight);
    if (made === undefined) {
      made = this.#makeSure(place, account, minTtl).finally(() => this.#underWay.delete(flight));
      this.#underWay.set(flight, made);
    }
    return made;
  }

  async #makeSure(place: string, account: Account, minTtl: Seconds | undefined): Promise<MadeSure> {
    const { signal } = new AbortController();
    const { request, timeout } = account;
    const deadline = systemClock.monotonic() + timeout * 1000;
    // Some of it may have gone on waiting for another process.
    const left = (): Seconds => Math.max(0, deadline - systemClock.monotonic()) / 1000;
    const made = await makeSureOfAuthFile(
      { request, path: place, minTtl, verify: true, signal, timeout, clock: systemClock },
      { ...ports(account, left, systemClock, signal), mint: () => account.token(minTtl, left()) },
    );
    // Who serves the endpoint in it keeps it fresh, too.
    if (made.endpoint === undefined) this.#keepFresh(place, account, made.token);
    return made;
  }

  #keepFresh(place: string, account: Account, token: AccessToken): void {
    const known = this.#fresh.get(place);
    if (known?.accountKey === account.key && known.renewals.refusal === undefined) return;
    known?.renewals.stop();
    const renewals: Renewals = new Renewals(token, {
      mint: (signal) => this.#renew(place, account, renewals.current.left(), signal),
      onRenewed: () => undefined,
      clock: quietClock,
      random: Math.random,
    });
    this.#fresh.set(place, { accountKey: account.key, renewals });
  }

  /** One renewal: the token of another process that was quicker, or a new one. A file that is gone stays so. */
  async #renew(place: string, account: Account, left: Milliseconds, signal: AbortSignal): Promise<AccessToken> {
    if (!this.#isWanted()) {
      this.#fresh.get(place)?.renewals.stop();
      this.#fresh.delete(place);
      throw abortedError();
    }
    const { request, timeout } = account;
    const minTtl = Math.max(0, left) / 1000 + NEWER;
    const order = { request, path: place, minTtl, verify: true, renewOnly: true, signal, timeout, clock: quietClock };
    const { token } = await makeSureOfAuthFile(order, {
      ...ports(account, () => timeout, quietClock, signal),
      mint: () => account.renewed(signal),
    });
    return token;
  }
}

/** What a file asks of the world, but for signing in. */
const ports = (
  account: Account,
  left: () => Seconds,
  clock: Clock,
  signal: AbortSignal,
): Pick<AuthFilePorts, "prove" | "askEndpoint"> => ({
  prove: (raw) => account.prove(raw, left() * PROVING),
  askEndpoint: (entry) => askEndpoint(entry, { clock, signal }),
});

import { createSecureContext } from "node:tls";
import type { Clock, Milliseconds, Random } from "../../shared/clock.ts";
import type { KeeperReport } from "../../shared/handoff/found-endpoint.ts";
import { Renewals } from "../../shared/handoff/keep-fresh.ts";
import { openLoopbackEndpoint } from "../../shared/handoff/loopback-endpoint.ts";
import { AccessToken } from "../../shared/token/access-token.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { KeyCache } from "../../shared/token/key-cache.ts";
import { mint as signIn, type MintOptions } from "../../shared/token/prove-token.ts";
import { scopeWords } from "../../shared/token/scope.ts";
import { userAgent } from "../../shared/version.ts";
import { inputNames } from "../inputs.ts";
import { isRunning } from "./job-watch.ts";
import type { KeeperOrder } from "./order.ts";
import { OwnedFile } from "./owned-file.ts";

/** How often the keeper looks at the file and at the job. */
const LOOK: Milliseconds = 250;
const HOUR: Milliseconds = 3_600_000;
/** The longest job there is, and the longest where nothing tells the job's end: that of a hosted runner. */
const LONGEST_JOB: Milliseconds = 120 * HOUR;
const LONGEST_UNWATCHED: Milliseconds = 6 * HOUR;
/** One try; when the next one comes is the business of keep-fresh. */
const ONE_TRY: Pick<MintOptions, "policy" | "timeout"> = {
  policy: { maxRetries: 0, backoff: 0, spreadOverload: false },
  timeout: 30,
};

/** Keeps one auth file fresh and serves its token, until the job is over. */
export interface Keeper {
  readonly port: number;
  /** The file stands: from now on its end is the keeper's. */
  readonly watch: () => void;
  /** Ends it. The file goes with it, if it is still the keeper's. */
  readonly end: () => Promise<void>;
  /** Settles when nothing of it is left. */
  readonly ended: Promise<void>;
}

/** What tests bring of their own. */
interface Seams {
  readonly clock: Clock;
  readonly random: Random;
  /** Default: signs in. */
  readonly mint?: typeof signIn;
}

/**
 * Opens the endpoint and begins to renew. The file is main's to write, when it knows the port.
 *
 * @throws AuthError when the order is none, Error of node when no port can be had
 */
export async function keep(order: KeeperOrder, { clock, random, mint = signIn }: Seams): Promise<Keeper> {
  const request = AuthRequest.parse(order.request);
  const file = new OwnedFile(order.path, request, order.jobSecret, clock);
  const mintOptions = mintOptionsOf(order, request, { clock, random });
  const renewals: Renewals = new Renewals(tokenOf(order, request), {
    mint: (signal) => mint(request, { ...mintOptions, signal }),
    onRenewed: (token) => file.replace(token, endpoint),
    clock,
    random,
  });
  let callOff = (): void => undefined;
  let finished: Promise<KeeperReport> | undefined;
  /** Stops all work and takes the file away. The endpoint stands yet, to answer who asked for it. */
  const finish = (): Promise<KeeperReport> =>
    (finished ??= (async () => {
      callOff();
      renewals.stop();
      await file.remove();
      return { ...renewals.counts, refused: renewals.refusal !== undefined };
    })());
  const { clientId, scope, clientSecret } = request;
  const { jobSecret, job } = order;
  const { endpoint, port, closed, close } = await openLoopbackEndpoint({
    clientId,
    scope,
    clientSecret,
    jobSecret,
    job,
    renewals,
    clock,
    onEnd: finish,
    fieldNames: inputNames,
  });
  const end = async (): Promise<void> => {
    await finish();
    await close();
  };

  const isOver = jobWatch(order, clock);
  const look = async (): Promise<void> => {
    const state = await file.look();
    if (finished !== undefined) return;
    if (state === "gone" || state === "foreign" || isOver()) await end();
    else lookAgain();
  };
  const lookAgain = (): void => {
    callOff = clock.after(LOOK, () => void look());
  };
  return { port, watch: lookAgain, end, ended: closed };
}

function mintOptionsOf({ roots, verify }: KeeperOrder, { ca }: AuthRequest, { clock, random }: Seams): MintOptions {
  return {
    ...ONE_TRY,
    verify,
    userAgent,
    keys: new KeyCache(clock),
    secureContext: ca === undefined ? undefined : createSecureContext({ ca: [...(roots ?? []), ca] }),
    clock,
    random,
  };
}

const tokenOf = ({ token }: KeeperOrder, { tenants }: AuthRequest): AccessToken =>
  new AccessToken(token.value, {
    expiresAt: token.expiresAt === undefined ? undefined : new Date(token.expiresAt),
    lifetime: token.lifetime,
    life: token.life,
    scope: scopeWords(token.scope),
    tenants,
  });

/** What tells whether the job is over, as far as that can be told. */
function jobWatch({ watched }: KeeperOrder, clock: Clock): () => boolean {
  const end = clock.monotonic() + (watched === undefined ? LONGEST_UNWATCHED : LONGEST_JOB);
  return () => clock.monotonic() >= end || (watched !== undefined && !isRunning(watched));
}

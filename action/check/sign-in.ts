import type { SecureContext } from "node:tls";
import type { HttpAnswer } from "../../shared/http/send.ts";
import type { AuthEvent, RequestName } from "../../shared/report/events.ts";
import type { AccessToken } from "../../shared/token/access-token.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";
import { Flight, type Answered, type FlightOptions } from "../../shared/token/flight.ts";
import { isJws } from "../../shared/token/jws.ts";
import { KeyCache } from "../../shared/token/key-cache.ts";
import { proved, unproved } from "../../shared/token/prove-token.ts";
import { judgeKeys, keysRequest, type SigningKey } from "../../shared/token/signing-keys.ts";
import { judgeTokenAnswer, tokenRequest, type TokenAnswer } from "../../shared/token/token-endpoint.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { phrase, type Phrase } from "./phrase.ts";

/** How the check signs in. */
export interface CheckedSignInOptions extends FlightOptions {
  /** Whether the signature is proved. */
  readonly verify: boolean;
  readonly secureContext: SecureContext | undefined;
  /** Gets each raw token first of all: the moment to mask it. */
  readonly onToken: (token: string) => void;
}

/** What was seen of a sign-in, however far it came. The token in it is never shown. */
export interface Seen {
  /** The last answer to each request, whatever it was. */
  tokenAnswer?: HttpAnswer;
  keysAnswer?: HttpAnswer;
  /** The token and what came with it, proved in nothing. */
  answered?: TokenAnswer;
  keys?: readonly SigningKey[];
  /** Once it is judged, and proved if that is wanted. */
  token?: AccessToken;
}

/**
 * Signs in as {@link mint} does, by the same parts, but goes on where that would stop: when one of the two requests
 * fails, what the other comes to is of use all the same.
 *
 * @param seen - is filled in on the way
 * @throws what the first step that failed did: an AuthError, unless nobody thought of it
 */
export async function signIn(
  request: AuthRequest,
  diagnosis: Diagnosis,
  seen: Seen,
  options: CheckedSignInOptions,
): Promise<void> {
  const tries = new TryCount(options.onEvent);
  const flight = new Flight(options.secureContext, { ...options, onEvent: tries.hear });
  flight.redactor.add(request.clientSecret);
  try {
    const asked = diagnosis.run("token", async (find) => {
      const answered = await flight.ask("token request", tokenRequest(request), (answer, quote) => {
        seen.tokenAnswer = answer;
        find(phrase`status ${answer.status}${tries.told("token request")}`);
        return judgeTokenAnswer(answer, quote, options.onToken, request.scope);
      });
      seen.answered = answered.value;
      const kind = isJws(answered.value.accessToken) ? phrase`a JWT` : phrase`an opaque token`;
      find(phrase`status ${seen.tokenAnswer?.status ?? 0}, ${kind}${tries.told("token request")}`);
      return answered;
    });
    const search = options.verify ? searchKeys(request, diagnosis, seen, { flight, tries }) : undefined;
    if (!search) diagnosis.skip("keys", phrase`verification is off`);
    const [answered, ready] = await Promise.allSettled([asked, search?.ready]);
    if (answered.status === "rejected") throw answered.reason;
    if (ready.status === "rejected") throw ready.reason;
    await verify(request, answered.value, diagnosis, { seen, flight, find: search?.find });
  } finally {
    await flight.end();
  }
}

interface Parts {
  readonly flight: Flight;
  readonly tries: TryCount;
}

function searchKeys(request: AuthRequest, diagnosis: Diagnosis, seen: Seen, { flight, tries }: Parts) {
  let note: (found: Phrase) => void = () => undefined;
  const search = new KeyCache(flight.clock).search(async () => {
    const { value } = await flight.ask(
      "request for the signing keys",
      keysRequest(request.jwksUrl),
      (answer, quote) => {
        seen.keysAnswer = answer;
        note(phrase`status ${answer.status}${tries.told("request for the signing keys")}`);
        return judgeKeys(answer, quote);
      },
    );
    seen.keys = value;
    note(
      phrase`status ${seen.keysAnswer?.status ?? 0}, ${value.length} RSA ${value.length === 1 ? phrase`key` : phrase`keys`}${tries.told("request for the signing keys")}`,
    );
    return value;
  });
  const ready = diagnosis.run("keys", async (find) => {
    note = find;
    await search.ready;
  });
  return { ready, find: search.find };
}

interface Verifying {
  readonly seen: Seen;
  readonly flight: Flight;
  readonly find: ((kid: string | undefined) => Promise<readonly SigningKey[]>) | undefined;
}

function verify(
  request: AuthRequest,
  answered: Answered<TokenAnswer>,
  diagnosis: Diagnosis,
  { seen, flight, find: findKeys }: Verifying,
): Promise<void> {
  return diagnosis.run("verify", async (find) => {
    if (findKeys) {
      seen.token = await proved(request, answered, flight, findKeys);
      find(phrase`the signature (RS256) and all claims are right`);
    } else {
      seen.token = unproved(request, answered, flight);
      find(phrase`NOT proved, since verification is off; its claims are right`);
    }
  });
}

/** Counts the tries of each request by the waits between them. */
class TryCount {
  readonly #tries = new Map<RequestName, number>();
  readonly #onEvent: FlightOptions["onEvent"];

  constructor(onEvent: FlightOptions["onEvent"]) {
    this.#onEvent = onEvent;
  }

  readonly hear = (event: AuthEvent): void => {
    if (event.type === "wait") this.#tries.set(event.request, event.tries + 1);
    this.#onEvent?.(event);
  };

  /** Nothing of the first try. */
  told(name: RequestName): Phrase {
    const tries = this.#tries.get(name);
    return tries === undefined ? phrase`` : phrase` (try ${tries})`;
  }
}

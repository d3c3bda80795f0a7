import type { SecureContext } from "node:tls";
import { trust } from "../http/tls.ts";
import { AuthError } from "../report/errors.ts";
import { AccessToken, factsOf, lifeOf, type Issue } from "./access-token.ts";
import type { AuthRequest } from "./auth-request.ts";
import { judgeClaims, judgeTenants, type Clocks } from "./claims.ts";
import { Flight, type Answered, type FlightOptions } from "./flight.ts";
import { decodeJws, isJws } from "./jws.ts";
import { KeyCache } from "./key-cache.ts";
import { scopeWords } from "./scope.ts";
import { judgeKeys, keysRequest, type SigningKey } from "./signing-keys.ts";
import { judgeTokenAnswer, tokenRequest, type TokenAnswer } from "./token-endpoint.ts";
import { prepareToVerify, verifyToken, type KeyFinder } from "./verify-token.ts";

/** How a token is asked for. */
export interface MintOptions extends FlightOptions {
  /** Whether the signature is proved. A JWT's claims are judged in any case. */
  readonly verify: boolean;
  /** Gets each raw token first of all, before anything is proved or reported: the moment to mask it. */
  readonly onToken?: (token: string) => void;
  /** Keys that are known already, for who signs in more than once. */
  readonly keys?: KeyCache;
  /** What {@link trust} made of the request's CA, for who signs in more than once. */
  readonly secureContext?: SecureContext | undefined;
}

/** Asks for the signing keys. @throws AuthError */
export const loadKeys = async (flight: Flight, request: AuthRequest): Promise<readonly SigningKey[]> =>
  (await flight.ask("request for the signing keys", keysRequest(request.jwksUrl), judgeKeys)).value;

/**
 * Asks for one token and proves it. The signing keys are fetched while the token request is in flight: their
 * URL is configuration, so nothing in the token is needed for it.
 *
 * @throws AuthError
 */
export function mint(request: AuthRequest, options: MintOptions): Promise<AccessToken> {
  return inFlight(request, options, async (flight, onToken) => {
    const asked = flight.ask("token request", tokenRequest(request), (answer, quote) =>
      judgeTokenAnswer(answer, quote, onToken, request.scope),
    );
    if (!options.verify) return unproved(request, await asked, flight);
    const { ready, find } = searchKeys(request, options, flight);
    prepareToVerify();
    const [answered] = await Promise.all([asked, ready]);
    return await proved(request, answered, flight, find);
  });
}

/**
 * Proves a token that somebody else asked for. The signature is proved whatever `verify` says, and a token that has
 * ended costs no request.
 *
 * @throws AuthError
 */
export function prove(request: AuthRequest, token: string, options: MintOptions): Promise<AccessToken> {
  return inFlight(request, options, (flight, onToken) => {
    // A text that is no JWS is refused below. Planted, it would black out the log as one of the secrets.
    if (isJws(token)) onToken(token);
    const found: Answered<TokenAnswer> = {
      value: { accessToken: token, expiresIn: undefined, scope: undefined },
      sentAt: flight.clock.monotonic(),
      clockOffset: undefined,
    };
    // Its claims first: most tokens that are found have just ended, and no request tells more.
    if (isJws(token)) judgeClaims(decodeJws(token).payload, request, clocks(found, flight));
    const findKeys: KeyFinder = (kid) => searchKeys(request, options, flight).find(kid);
    return proved(request, found, flight, findKeys);
  });
}

/** Does `work` with one flight, and ends it. `work` hands every token to its second argument, first of all. */
async function inFlight<T>(
  request: AuthRequest,
  options: MintOptions,
  work: (flight: Flight, onToken: (token: string) => void) => Promise<T>,
): Promise<T> {
  const flight = new Flight(options.secureContext ?? trust(request.ca), options);
  flight.redactor.add(request.clientSecret);
  try {
    return await work(flight, (token) => {
      // First the caller: one that shares the redactor learns from it which forms are new and to be masked.
      options.onToken?.(token);
      flight.redactor.add(token);
    });
  } finally {
    await flight.end();
  }
}

const searchKeys = (request: AuthRequest, { keys }: MintOptions, flight: Flight) =>
  (keys ?? new KeyCache(flight.clock)).search(() => loadKeys(flight, request));

/** Proves a token answer by the keys that `findKeys` finds. @throws AuthError */
export async function proved(
  request: AuthRequest,
  answered: Answered<TokenAnswer>,
  flight: Flight,
  findKeys: KeyFinder,
): Promise<AccessToken> {
  const { accessToken } = answered.value;
  if (!isJws(accessToken))
    throw new AuthError("the access_token is opaque (no JWT).", { kind: "verification", code: "opaque_token" });
  const { claims, key } = await verifyToken(accessToken, findKeys, request, () => clocks(answered, flight));
  return new AccessToken(accessToken, { ...factsOf(claims, issue(answered, flight), request.tenants), key });
}

/** With `verify: false`: a JWT's claims are judged without its signature, an opaque token by the answer's scope. */
export function unproved(request: AuthRequest, answered: Answered<TokenAnswer>, flight: Flight): AccessToken {
  const { accessToken, scope = request.scope } = answered.value;
  const { tenants } = request;
  if (isJws(accessToken)) {
    const claims = judgeClaims(decodeJws(accessToken).payload, request, clocks(answered, flight));
    return new AccessToken(accessToken, factsOf(claims, issue(answered, flight), tenants));
  }
  // Without a scope in the answer what was asked for is granted (RFC 6749 section 5.1).
  const granted = scopeWords(scope);
  judgeTenants(granted, tenants);
  const asked = issue(answered, flight);
  return new AccessToken(accessToken, { ...lifeOf(asked, undefined), life: asked.life, scope: granted, tenants });
}

const clocks = ({ clockOffset }: Answered<unknown>, { clock }: Flight): Clocks => ({
  wall: clock.wall(),
  offset: clockOffset,
});

function issue({ value: { expiresIn }, sentAt }: Answered<TokenAnswer>, { clock }: Flight): Issue {
  const life = expiresIn === undefined ? undefined : expiresIn * 1000;
  return { life, age: clock.monotonic() - sentAt, wall: clock.wall() };
}

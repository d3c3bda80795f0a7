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
import { verifyToken, type KeyFinder } from "./verify-token.ts";

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
export async function mint(request: AuthRequest, options: MintOptions): Promise<AccessToken> {
  const flight = new Flight(options.secureContext ?? trust(request.ca), options);
  flight.redactor.add(request.clientSecret);
  const onToken = (token: string): void => {
    // First the caller: one that shares the redactor learns from it which forms are new and to be masked.
    options.onToken?.(token);
    flight.redactor.add(token);
  };
  try {
    const asked = flight.ask("token request", tokenRequest(request), (answer, quote) =>
      judgeTokenAnswer(answer, quote, onToken, request.scope),
    );
    if (!options.verify) return unproved(request, await asked, flight);
    const { ready, find } = (options.keys ?? new KeyCache(flight.clock)).search(() => loadKeys(flight, request));
    const [answered] = await Promise.all([asked, ready]);
    return await proved(request, answered, flight, find);
  } finally {
    await flight.end();
  }
}

async function proved(
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
function unproved(request: AuthRequest, answered: Answered<TokenAnswer>, flight: Flight): AccessToken {
  const { accessToken, scope = request.scope } = answered.value;
  const { tenants } = request;
  if (isJws(accessToken)) {
    const claims = judgeClaims(decodeJws(accessToken).payload, request, clocks(answered, flight));
    return new AccessToken(accessToken, factsOf(claims, issue(answered, flight), tenants));
  }
  // Without a scope in the answer what was asked for is granted (RFC 6749 section 5.1).
  const granted = scopeWords(scope);
  judgeTenants(granted, tenants);
  return new AccessToken(accessToken, { ...lifeOf(issue(answered, flight), undefined), scope: granted, tenants });
}

const clocks = ({ clockOffset }: Answered<unknown>, { clock }: Flight): Clocks => ({
  wall: clock.wall(),
  offset: clockOffset,
});

function issue({ value: { expiresIn }, sentAt }: Answered<TokenAnswer>, { clock }: Flight): Issue {
  const life = expiresIn === undefined ? undefined : expiresIn * 1000;
  return { life, age: clock.monotonic() - sentAt, wall: clock.wall() };
}

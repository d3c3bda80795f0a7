import { AuthError } from "../report/errors.ts";
import { AccessToken, factsOf, lifeOf, type Issue } from "./access-token.ts";
import type { AuthRequest } from "./auth-request.ts";
import { judgeClaims, judgeTenants, type Clocks } from "./claims.ts";
import { Flight, type Answered, type FlightOptions } from "./flight.ts";
import { decodeJws, isJws } from "./jws.ts";
import { scopeWords } from "./scope.ts";
import { judgeKeys, keysFor, keysRequest, type SigningKey } from "./signing-keys.ts";
import { judgeTokenAnswer, tokenRequest, type TokenAnswer } from "./token-endpoint.ts";
import { verifyToken, type KeyFinder } from "./verify-token.ts";

/** How a token is asked for. */
export interface MintOptions extends FlightOptions {
  /** Whether the signature is proved. A JWT's claims are judged in any case. */
  readonly verify: boolean;
  /** Gets each raw token first of all, before anything is proved or reported: the moment to mask it. */
  readonly onToken?: (token: string) => void;
}

/**
 * Asks for one token and proves it. The signing keys are fetched while the token request is in flight: their
 * URL is configuration, so nothing in the token is needed for it.
 *
 * @throws AuthError
 */
export async function mint(request: AuthRequest, options: MintOptions): Promise<AccessToken> {
  const flight = new Flight(request.ca, options);
  flight.redactor.add(request.clientSecret);
  const onToken = (token: string): void => {
    // First the caller: one that shares the redactor learns from it which forms are new and to be masked.
    options.onToken?.(token);
    flight.redactor.add(token);
  };
  const loadKeys = async (): Promise<readonly SigningKey[]> =>
    (await flight.ask("request for the signing keys", keysRequest(request.jwksUrl), judgeKeys)).value;
  try {
    const asked = flight.ask("token request", tokenRequest(request), (answer, quote) =>
      judgeTokenAnswer(answer, quote, onToken, request.scope),
    );
    if (!options.verify) return unproved(request, await asked, flight);
    const [answered, keys] = await Promise.all([asked, loadKeys()]);
    // The key may have been changed between the two requests: one that is not known is looked for once more.
    return await proved(request, answered, flight, async (kid) => {
      const found = keysFor(keys, kid);
      return found.length > 0 ? found : keysFor(await loadKeys(), kid);
    });
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
  const { claims } = await verifyToken(accessToken, findKeys, request, () => clocks(answered, flight));
  return new AccessToken(accessToken, factsOf(claims, issue(answered, flight), request.tenants));
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

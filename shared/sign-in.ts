import { AccessToken } from "./access-token.ts";
import { SUSPECT_SECRET } from "./auth-request-schema.ts";
import type { AuthRequest } from "./auth-request.ts";
import { sleep, systemClock, type Clock, type Milliseconds, type RandomSource } from "./clock.ts";
import { abortedError, AuthError } from "./errors.ts";
import { safeListener, type AuthEventListener } from "./events.ts";
import { getProxyPasswords } from "./http/proxy.ts";
import type { RequestContext, RequestLimits, RetryPolicy } from "./http/request-context.ts";
import { requestWithRetries, type RequestCall, type TimedResult } from "./http/retry.ts";
import { createSecureContext } from "./http/tls.ts";
import { createJwksRequest, JwksCache, parseJwksResponse, type RequestJwks, type SigningKey } from "./jwks.ts";
import {
  decodeJwt,
  getScope,
  looksLikeJwt,
  validateClaims,
  validateTenants,
  verifyJwt,
  type ClockInfo,
  type JWTClaims,
} from "./jwt.ts";
import { DEFAULTS } from "./options.ts";
import { Redactor } from "./redact.ts";
import { filterScopeTokens, parseScope } from "./scope.ts";
import { createTokenRequest, parseTokenResponse, type TokenResponse } from "./token-endpoint.ts";
import { USER_AGENT } from "./version.ts";

/** The context shared by all sign-ins of one account in a process. */
export interface SignInContext extends RequestContext {
  readonly authRequest: AuthRequest;
  /** Whether the signature of a new token is verified. The claims of a JWT are always validated. */
  readonly verify: boolean;
  readonly jwks: JwksCache;
  /** Receives each token before it is verified or reported. The action uses it to mask the token. */
  readonly onToken: (token: string) => void;
}

/** Options of {@link createSignInContext}. */
export interface SignInOptions {
  /** Default: true. */
  readonly verify?: boolean | undefined;
  /** Overrides individual defaults of the library. */
  readonly policy?: { readonly [Name in keyof RetryPolicy]?: RetryPolicy[Name] | undefined };
  readonly userAgent?: string;
  /** Default: a new redactor. The client secret, proxy passwords, and tokens are added to it. */
  readonly redactor?: Redactor;
  /** Receives events. Exceptions thrown by the listener are ignored. */
  readonly onEvent?: AuthEventListener | undefined;
  readonly onToken?: (token: string) => void;
  readonly clock?: Clock | undefined;
  readonly random?: RandomSource | undefined;
}

/**
 * Creates a sign-in context.
 *
 * @throws AuthError of kind `config` if the CA certificates cannot be used
 */
export function createSignInContext(authRequest: AuthRequest, options: SignInOptions = {}): SignInContext {
  const { verify = true, policy = {}, userAgent = USER_AGENT, clock = systemClock, random = Math.random } = options;
  const { redactor = new Redactor(), onToken = () => undefined } = options;
  redactor.add(authRequest.clientSecret);
  for (const password of getProxyPasswords(process.env)) redactor.add(password);
  return {
    authRequest,
    verify,
    policy: {
      maxRetries: policy.maxRetries ?? DEFAULTS.maxRetries,
      backoff: policy.backoff ?? DEFAULTS.backoff,
      spreadOnOverload: policy.spreadOnOverload ?? false,
    },
    userAgent,
    secureContext: createSecureContext(authRequest.ca),
    redactor,
    onEvent: safeListener(options.onEvent),
    onToken: (token) => {
      redactor.add(token);
      onToken(token);
    },
    clock,
    random,
    jwks: new JwksCache(clock),
  };
}

/**
 * Creates a context for one of many sign-ins in a process, with its own redactor. A redactor that is used for days would
 * accumulate tokens.
 *
 * @param onToken - receives each token in addition to the new redactor; the listener of `context` does not
 */
export function createSeparateContext(
  context: SignInContext,
  onToken: SignInContext["onToken"] = () => undefined,
): SignInContext {
  const redactor = new Redactor([context.authRequest.clientSecret, ...getProxyPasswords(process.env)]);
  return {
    ...context,
    redactor,
    onToken: (token) => {
      redactor.add(token);
      onToken(token);
    },
  };
}

type IssuedToken = Omit<TimedResult<TokenResponse>, "attempts">;

/**
 * Requests a token and verifies it. The JWKS is requested at the same time, because its URL does not depend on the
 * token.
 *
 * @throws AuthError; if both requests fail, the error from the token request
 */
export async function requestToken(context: SignInContext, limits: RequestLimits): Promise<AccessToken> {
  const { authRequest, clock, redactor, onToken } = context;
  await updateClientSecret(context, limits);
  const stop = new AbortController();
  const signal = limits.signal === undefined ? stop.signal : AbortSignal.any([limits.signal, stop.signal]);
  const ownLimits: RequestLimits = { deadline: limits.deadline, signal };
  const call: RequestCall<TokenResponse> = {
    name: "token",
    request: createTokenRequest(authRequest),
    parse: (response) =>
      parseTokenResponse(response, {
        ...{ quote: redactor.quote, onToken, clientId: authRequest.clientId, requestedScope: authRequest.scope },
        secretWarning: authRequest.warnings.find((warning) => warning === SUSPECT_SECRET),
      }),
  };
  const issued = requestWithRetries(context, call, ownLimits);
  const lookup = context.verify ? context.jwks.lookup(createLoader(context, ownLimits), ownLimits) : undefined;
  try {
    if (lookup === undefined) return acceptUnverified(context, await issued);
    // Load jose while waiting for the responses, but in the next turn of the event loop, so that the requests are sent
    // first. If jose cannot be loaded, the verification fails with the same error.
    setImmediate(() => void import("./jws.ts").catch(() => undefined));
    const token = await waitForBoth(issued, lookup.ready, clock, ownLimits);
    return await verifySignature(context, token, lookup.find, ownLimits);
  } catch (error) {
    // A key may have been replaced without a new `kid`. The next sign-in must not use the old key again.
    if (AuthError.isAuthError(error) && error.code === "invalid_signature") context.jwks.clear();
    throw error;
  } finally {
    stop.abort();
    await Promise.allSettled([issued, lookup?.ready]);
  }
}

/**
 * Calls the function that returns the client secret, if there is one, and hides the secret in messages.
 *
 * @throws AuthError of kind `config` if the function fails or does not end in time, or of kind `aborted`
 */
export async function updateClientSecret(
  { authRequest, clock, redactor }: Pick<SignInContext, "authRequest" | "clock" | "redactor">,
  { deadline, signal }: RequestLimits,
): Promise<void> {
  const stop = new AbortController();
  const ended = AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]);
  const update = authRequest.updateClientSecret(ended);
  if (update === undefined) return;
  try {
    const isUpdated = await Promise.race([update.then(() => true), sleep(clock, deadline - clock.monotonic(), ended)]);
    if (signal?.aborted) throw abortedError(signal.reason, false);
    if (isUpdated !== true) {
      const description = "the function that returns the client secret did not end in time.";
      throw new AuthError(description, { kind: "config", code: "client_secret_unavailable" });
    }
    redactor.add(authRequest.clientSecret);
  } finally {
    stop.abort();
  }
}

/**
 * Verifies a token that another process requested, regardless of the `verify` option. An expired token causes no
 * request.
 *
 * @throws AuthError
 */
export async function verifyToken(context: SignInContext, token: string, limits: RequestLimits): Promise<AccessToken> {
  if (!looksLikeJwt(token)) throw opaqueTokenError();
  const { payload } = decodeJwt(token);
  // The token is not masked earlier, because masking an arbitrary string could hide unrelated output.
  context.onToken(token);
  const value = { accessToken: token, expiresIn: undefined, scope: undefined };
  const existing = { value, sentAt: context.clock.elapsed(), clockOffset: undefined };
  validateClaims(payload, context.authRequest, getClockInfo(context, existing));
  const load = createLoader(context, limits);
  return verifySignature(context, existing, (kid) => context.jwks.lookup(load).find(kid), limits);
}

function createLoader(context: SignInContext, limits: RequestLimits): RequestJwks {
  const call: RequestCall<readonly SigningKey[]> = {
    name: "jwks",
    request: createJwksRequest(context.authRequest.jwksUrl),
    parse: (response) => parseJwksResponse(response, context.redactor.quote),
  };
  return async () => (await requestWithRetries(context, call, limits)).value;
}

/** Minimum time to wait, after the JWKS request has failed, for the token request to fail as well. */
const MIN_GRACE: Milliseconds = 2000;

/**
 * Waits for the token and the keys. If the keys cannot be loaded, the token request is given time to fail for the same
 * reason, because its error is the one to report.
 */
async function waitForBoth(
  issued: Promise<IssuedToken>,
  keysReady: Promise<unknown>,
  clock: Clock,
  { deadline, signal }: RequestLimits,
): Promise<IssuedToken> {
  try {
    const [token] = await Promise.all([issued, keysReady]);
    return token;
  } catch (error) {
    const isRejected = AuthError.isAuthError(error) && ["rejected", "protocol"].includes(error.kind);
    const grace = isRejected ? MIN_GRACE : Math.max(MIN_GRACE, deadline - clock.monotonic());
    await Promise.race([issued, sleep(clock, grace, signal)]);
    throw error;
  }
}

async function verifySignature(
  context: SignInContext,
  issued: IssuedToken,
  findKeys: (kid: string | undefined) => Promise<readonly SigningKey[]>,
  { deadline }: RequestLimits,
): Promise<AccessToken> {
  const { authRequest, clock } = context;
  const { accessToken } = issued.value;
  if (!looksLikeJwt(accessToken)) throw opaqueTokenError();
  const checkDeadline = (): void => {
    if (clock.monotonic() < deadline) return;
    const description = "timed out while verifying the token's signature.";
    throw new AuthError(description, { kind: "timeout", code: "response_timeout", hint: "Raise the timeout." });
  };
  const clockInfo = (): ClockInfo => getClockInfo(context, issued);
  const { claims, key } = await verifyJwt(accessToken, findKeys, authRequest, clockInfo, checkDeadline);
  return createAccessToken(context, issued, claims, key);
}

function acceptUnverified(context: SignInContext, issued: IssuedToken): AccessToken {
  const { authRequest } = context;
  const { accessToken, scope = authRequest.scope } = issued.value;
  const isJwt = looksLikeJwt(accessToken);
  if (!isJwt && authRequest.issuer !== undefined)
    throw opaqueTokenError("The issuer of an opaque token is unknown. Check the token URL, or omit the issuer.");
  const clockInfo = getClockInfo(context, issued);
  const claims = isJwt ? validateClaims(decodeJwt(accessToken).payload, authRequest, clockInfo) : undefined;
  // RFC 6749 section 5.1: without a scope in the response, the requested scope is granted.
  if (!claims) validateTenants(parseScope(scope), authRequest.tsgIds);
  return createAccessToken(context, issued, claims);
}

/** Creates the AccessToken for a response. Without `claims`, the token is opaque. */
function createAccessToken(
  { authRequest, clock }: SignInContext,
  { value, sentAt }: IssuedToken,
  claims?: JWTClaims,
  signingKey?: SigningKey,
): AccessToken {
  const { accessToken, expiresIn = Infinity, scope = authRequest.scope } = value;
  const { exp = Infinity, iat = 0 } = claims ?? {};
  // `expires_in` is measured from when the request was sent, because the server may have issued the token at any time
  // since then.
  const toElapsed = clock.elapsed() - clock.now();
  const deadline = Math.min(sentAt + expiresIn * 1000, exp * 1000 + toElapsed);
  const end = claims ? exp * 1000 : deadline - toElapsed;
  return new AccessToken(accessToken, {
    deadline: deadline === Infinity ? undefined : deadline,
    lifetime: deadline === Infinity ? undefined : Math.min(expiresIn, exp - iat) * 1000,
    expiresAt: deadline === Infinity ? undefined : new Date(end),
    scope: filterScopeTokens(claims ? getScope(claims) : parseScope(scope)),
    tsgIds: authRequest.tsgIds,
    signingKey,
  });
}

const getClockInfo = ({ clock }: SignInContext, { clockOffset }: IssuedToken): ClockInfo => ({
  now: clock.now(),
  skew: clockOffset,
});

/** The error for a token that must be a JWT but is not. */
export const opaqueTokenError = (hint?: string): AuthError =>
  new AuthError("the access token is opaque (not a JWT).", { kind: "verification", code: "opaque_token", hint });

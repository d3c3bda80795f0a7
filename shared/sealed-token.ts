import * as z from "zod/mini";
import { getMinRemaining, hasMinRemaining, type AccessToken } from "./access-token.ts";
import { toAuthRequest, type AuthRequest, type AuthRequestInput } from "./auth-request.ts";
import { systemClock, type Clock, type Seconds } from "./clock.ts";
import { formatDuration } from "./duration.ts";
import { abortedError, AuthError, configError, verificationError, type ConfigIssue } from "./errors.ts";
import type { RequestLimits } from "./http/request-context.ts";
import { decodeJsonSegment, decodeJwt, decodeSegment, looksLikeJwt, validateClaims } from "./jwt.ts";
import { DEFAULTS, findOptionIssues, optionSchemas, type CallOptions } from "./options.ts";
import { Redactor } from "./redact.ts";
import { createSignInContext, updateClientSecret, verifyToken, type SignInContext } from "./sign-in.ts";

/** A JWT, or an object that contains one, such as the result of {@link unsealToken}. */
export type SealableToken = string | { readonly accessToken: string };

/** Options of {@link sealToken}. */
export interface SealTokenOptions {
  /** Must not be false: the recipient of a sealed token always verifies its signature. */
  readonly verify?: boolean | undefined;
  /** Aborts the call. The abort reason becomes the `cause` of the error. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link unsealToken}. */
export interface UnsealTokenOptions extends SealTokenOptions, CallOptions {
  /**
   * The minimum remaining lifetime in seconds, from 0 to 86400. Default: 300, or a third of the token's lifetime if
   * that is shorter.
   */
  readonly minTtl?: Seconds | undefined;
}

/** A token that was unsealed and verified. */
export interface UnsealedToken {
  /** The string to send as `Authorization: Bearer <accessToken>`. */
  readonly accessToken: string;
  readonly expiresAt: Date;
  /** The granted scope-tokens, separated by spaces. */
  readonly scope: string;
  /** The TSG ID of the tenant; undefined if there is none or more than one. */
  readonly tsgId: string | undefined;
}

/** Password-based key encryption, for secrets of unknown strength (RFC 7518 section 4.8). */
const ALGORITHM = "PBES2-HS512+A256KW";
const ENCRYPTION = "A256GCM";
/** PBKDF2 iteration count (`p2c`): OWASP's minimum for PBKDF2-HMAC-SHA512, which takes about 100 ms. */
const ITERATIONS = 210_000;
/** Maximum accepted iteration count. A higher count would keep the recipient busy. */
const MAX_ITERATIONS = 1_000_000;
/** Maximum length of a sealed token, in characters. */
const MAX_LENGTH = 16_384;

const OTHER_IDENTITY_HINT =
  "The sealed token is for another client ID or tenant. Seal and unseal with the same ones, or sign in again.";

const headerSchema = () =>
  z.strictObject({
    alg: z.literal(ALGORITHM),
    enc: z.literal(ENCRYPTION),
    p2c: z.int().check(z.gte(ITERATIONS), z.lte(MAX_ITERATIONS)),
    p2s: z.string(),
  });

const { minTtl, timeout, maxRetries, verify, signal, onEvent } = optionSchemas;
const SEAL_OPTIONS = { verify, signal };
const UNSEAL_OPTIONS = { minTtl, timeout, maxRetries, verify, signal, onEvent };

/**
 * Encrypts a token with the client secret so that recipients with the same secret do not have to sign in. A sealed
 * token may be stored where a secret may not, for example in a job output. It is a JWE (`PBES2-HS512+A256KW`,
 * `A256GCM`) that contains the token.
 *
 * @throws AuthError of kind `config` if an argument is invalid; of kind `verification` if the token has expired, is for
 *   another client or tenant, or is not a JWT; of kind `aborted` if the signal is aborted
 * @example
 * ```ts
 * const client = await OAuth2Client.connect(AuthRequest.fromEnv());
 * const sealed = await sealToken(client.authRequest, await client.accessToken());
 * ```
 */
export async function sealToken(
  request: AuthRequest | AuthRequestInput,
  token: SealableToken,
  options: SealTokenOptions = {},
): Promise<string> {
  const authRequest = toAuthRequest(request);
  const accessToken: unknown = typeof token === "object" ? (token as typeof token | null)?.accessToken : token;
  const optionIssues = findOptionIssues(options, SEAL_OPTIONS);
  validateArguments(optionIssues, options, { field: "token", value: accessToken, hint: "Pass an access token." });
  if (options.signal?.aborted) throw abortedError(options.signal.reason);
  const clock = systemClock;
  const limits = { deadline: clock.monotonic() + DEFAULTS.timeout * 1000, signal: options.signal };
  await updateClientSecret({ authRequest, clock, redactor: new Redactor() }, limits);
  return sealAccessToken(authRequest, { value: String(accessToken) }, clock);
}

/** Seals a verified token. @throws AuthError for the same reasons as {@link sealToken} @internal */
export async function sealAccessToken(
  authRequest: AuthRequest,
  { value: token }: Pick<AccessToken, "value">,
  clock: Clock,
): Promise<string> {
  if (!looksLikeJwt(token)) throw verificationError("sealed_token_not_jwt", "only JWTs can be sealed.");
  validateClaims(decodeJwt(token).payload, authRequest, { now: clock.now(), skew: undefined });
  const { CompactEncrypt } = await import("jose/jwe/compact/encrypt");
  const sealed = await new CompactEncrypt(Buffer.from(token))
    .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION })
    .setKeyManagementParameters({ p2c: ITERATIONS })
    .encrypt(Buffer.from(authRequest.clientSecret));
  validateLength(sealed);
  return sealed;
}

/**
 * Decrypts a sealed token and verifies it like any token of unknown origin. Requests the signing keys, but no token.
 *
 * @throws AuthError with code `sealed_token_expired`, `sealed_token_malformed`, `sealed_token_decryption_failed`, or
 *   `sealed_token_too_large`; of kind `config` if an argument is invalid; otherwise for the same reasons as a sign-in
 * @example
 * ```ts
 * const { accessToken } = await unsealToken(AuthRequest.fromEnv(), sealed);
 * ```
 */
export async function unsealToken(
  request: AuthRequest | AuthRequestInput,
  sealed: string,
  options: UnsealTokenOptions = {},
): Promise<UnsealedToken> {
  const authRequest = toAuthRequest(request);
  const optionIssues = findOptionIssues(options, UNSEAL_OPTIONS);
  validateArguments(optionIssues, options, { field: "sealed", value: sealed, hint: "Pass the result of sealToken()." });
  const policy = { maxRetries: options.maxRetries };
  // The options may include test hooks, which are not part of the public type.
  const context = createSignInContext(authRequest, { ...options, onEvent: options.onEvent, policy });
  const { clock } = context;
  const deadline = clock.monotonic() + (options.timeout ?? DEFAULTS.timeout) * 1000;
  const limits = { deadline, signal: options.signal };
  const token = await unsealAndVerify(context, sealed, { minTtl: options.minTtl, limits });
  const { value: accessToken, scope, tsgId, expiresAt = new Date(clock.now()) } = token;
  return { accessToken, expiresAt, scope, tsgId };
}

/**
 * Decrypts a sealed token and verifies it.
 *
 * @param options.minTtl - the minimum remaining lifetime, as in {@link UnsealTokenOptions}
 * @throws AuthError for the same reasons as {@link unsealToken}
 * @internal
 */
export async function unsealAndVerify(
  context: SignInContext,
  sealed: string,
  { minTtl, limits }: { readonly minTtl?: Seconds | undefined; readonly limits: RequestLimits },
): Promise<AccessToken> {
  const { clock, authRequest } = context;
  await updateClientSecret(context, limits);
  const sealedToken = await unseal(sealed, authRequest.clientSecret);
  const token = await verifyToken(context, sealedToken, limits).catch((error: unknown) => {
    if (!AuthError.isAuthError(error)) throw error;
    if (error.code === "token_expired")
      throw verificationError("sealed_token_expired", error.description.replace(/^the token/, "the sealed token"));
    // The usual hints assume that the token was just requested.
    const isOther = error.code === "audience_mismatch" || error.code === "tenant_mismatch";
    throw isOther ? error.with(error.description, { hint: OTHER_IDENTITY_HINT }) : error;
  });
  if (hasMinRemaining(token, minTtl, clock)) return token;
  const remaining = formatDuration(token.remaining(clock) ?? 0);
  const minimum = formatDuration(getMinRemaining(minTtl, token.lifetime ?? 0));
  const description = `the sealed token is valid for only ${remaining}, less than the required minimum of ${minimum}.`;
  throw verificationError("sealed_token_expired", description);
}

/** Decrypts a sealed token. The token in it is not verified. */
async function unseal(sealed: string, secret: string): Promise<string> {
  validateLength(sealed);
  // Check the header before decrypting: a high iteration count would keep the process busy.
  const segments = sealed.split(".");
  const isSupported =
    segments.length === 5 &&
    segments.every((segment) => decodeSegment(segment) !== undefined) &&
    headerSchema().safeParse(decodeJsonSegment(segments[0] ?? "")).success;
  if (!isSupported)
    throw verificationError("sealed_token_malformed", "the value is not a sealed token, or it was truncated.");
  const { compactDecrypt } = await import("jose/jwe/compact/decrypt");
  const { plaintext } = await compactDecrypt(sealed, Buffer.from(secret), {
    keyManagementAlgorithms: [ALGORITHM],
    contentEncryptionAlgorithms: [ENCRYPTION],
    maxPBES2Count: MAX_ITERATIONS,
  }).catch(() => {
    const reason = "it was sealed with a different client secret, or was modified";
    throw verificationError("sealed_token_decryption_failed", `the sealed token cannot be decrypted: ${reason}.`);
  });
  const token = new TextDecoder().decode(plaintext);
  if (!looksLikeJwt(token))
    throw verificationError("sealed_token_malformed", "the sealed token does not contain a JWT.");
  return token;
}

function validateLength(sealed: string): void {
  if (sealed.length <= MAX_LENGTH) return;
  throw verificationError("sealed_token_too_large", `the sealed token is longer than ${MAX_LENGTH / 1024} KiB.`);
}

/** @throws AuthError of kind `config` with the issues in the options and in an argument that must be a string */
function validateArguments(
  optionIssues: readonly ConfigIssue[],
  { verify }: SealTokenOptions,
  { field, value, hint }: { readonly field: string; readonly value: unknown; readonly hint: string },
): void {
  const issues = [...optionIssues];
  if (verify === false) {
    const message = "must be true to seal or unseal a token";
    issues.push({
      field: "verify",
      message,
      hint: "Set verify to true, or sign in within the job that needs the token.",
    });
  }
  if (typeof value !== "string") issues.push({ field, message: "must be a string", hint });
  if (issues.length > 0) throw configError(issues);
}

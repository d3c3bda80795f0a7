import { systemClock, type Milliseconds } from "../clock.ts";
import { CALL_RULES, judgeOptions, type Rules } from "../report/call-options.ts";
import type { Problem } from "../report/fields.ts";
import { AuthRequest, type AuthRequestInput } from "../token/auth-request.ts";
import { judgeClaims } from "../token/claims.ts";
import { decodeJws, isJws } from "../token/jws.ts";
import { prove } from "../token/prove-token.ts";
import { planCall, type HandoffOptions, type Seams } from "./call-plan.ts";
import { UNPROVED, useSealed } from "./proved-sealed-token.ts";
import { seal } from "./sealed-token.ts";

/** A token and its end. */
export interface TokenToSeal {
  /** A JWT, as SCM gives. */
  readonly accessToken: string;
  /** When it ends, if that is before its own `exp`. */
  readonly expiresAt?: Date | undefined;
}

/** Options of {@link sealToken}. */
export interface SealOptions {
  /** Whether signatures are proved. False is an error here: a sealed token must be proved by who opens it. */
  readonly verify?: boolean | undefined;
}

/** Options of {@link openToken}. Times are in seconds. */
export interface OpenOptions extends SealOptions, HandoffOptions {}

/** A token that was sealed elsewhere, proved. */
export interface OpenedToken {
  /** What goes behind `Bearer`. */
  readonly accessToken: string;
  /** When it ends. */
  readonly expiresAt: Date;
  /** The scope that it grants, its words separated by spaces. */
  readonly scope: string;
  /** Its tenant; undefined when it is none or several. */
  readonly tsgId: string | undefined;
}

const SEAL_RULES: Rules<SealOptions> = { verify: CALL_RULES.verify };

/**
 * Seals a token for others who sign in as the same account, so that they need no sign-in of their own. The text opens
 * with the same client id, secret, scope and token URL alone. It may pass through places where a secret may not, such as
 * job outputs; but whoever sees it can try secrets on it, so a secret that could be guessed is refused.
 *
 * @param request - an AuthRequest, or what `AuthRequest.parse` takes
 * @throws AuthError: of kind `config` for options, or a secret that is too weak; of kind `verification` for a token that
 * has ended, is for another client or tenant, or is no JWT
 * @example
 * ```ts
 * const client = await OAuth2Client.connect(AuthRequest.fromEnv());
 * const sealed = await sealToken(client.authRequest, await client.accessToken());
 * ```
 */
export async function sealToken(
  request: AuthRequest | AuthRequestInput,
  token: string | TokenToSeal,
  options: SealOptions & Pick<Seams, "clock"> = {},
): Promise<string> {
  const checked = AuthRequest.isAuthRequest(request) ? request : AuthRequest.parse(request);
  const given: Partial<TokenToSeal> = typeof token === "string" ? { accessToken: token } : { ...token };
  judgeOptions(options, SEAL_RULES, [], [...judgeToken(given), ...judgeVerify(options)]);
  const { accessToken = "", expiresAt } = given;
  const wall = (options.clock ?? systemClock).wall();
  // Judged by its own word, which is what its reader will hold against it.
  const ownEnd: Milliseconds = isJws(accessToken)
    ? judgeClaims(decodeJws(accessToken).payload, checked, { wall, offset: undefined }).exp * 1000
    : Infinity;
  const lifetime = Math.min(ownEnd, expiresAt?.getTime() ?? Infinity) - wall;
  return seal(checked, { value: accessToken, expiresAt: new Date(ownEnd), lifetime }, wall);
}

/**
 * Opens a sealed token and proves it, as one that a stranger brought. No token request is made; the signing keys are
 * asked for.
 *
 * @param request - an AuthRequest, or what `AuthRequest.parse` takes
 * @throws AuthError: of kind `config` for options; with a code for each reason why the text is of no use
 * (`sealed_stale sealed_foreign sealed_damaged sealed_version sealed_too_long`); else as a sign-in
 * @example
 * ```ts
 * const { accessToken } = await openToken(AuthRequest.fromEnv(), sealed);
 * ```
 */
export async function openToken(
  request: AuthRequest | AuthRequestInput,
  sealed: string,
  options: OpenOptions & Seams = {},
): Promise<OpenedToken> {
  const checked = AuthRequest.isAuthRequest(request) ? request : AuthRequest.parse(request);
  judgeOptions(options, CALL_RULES, [], [...judgeSealed(sealed), ...judgeVerify(options)]);
  const { flight, left } = planCall(checked, options);
  const { clock } = flight;
  const token = await useSealed(checked, sealed, {
    minTtl: options.minTtl,
    clock,
    prove: (raw) => prove(checked, raw, { ...flight, timeout: left() }),
  });
  const { expiresAt = new Date(clock.wall()), scope, tsgId } = token;
  return { accessToken: token.value, expiresAt, scope, tsgId };
}

const judgeVerify = ({ verify }: SealOptions): readonly Problem[] => (verify === false ? [UNPROVED] : []);

function judgeToken({ accessToken, expiresAt }: Readonly<Record<string, unknown>>): readonly Problem[] {
  const isEnd = expiresAt === undefined || (expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime()));
  if (typeof accessToken === "string" && isEnd) return [];
  const hint = "Give the token as text, or as { accessToken, expiresAt } with text and a Date.";
  return [{ field: "accessToken", reason: "is not a token", hint }];
}

const judgeSealed = (sealed: unknown): readonly Problem[] =>
  typeof sealed === "string"
    ? []
    : [{ field: "sealed", reason: "is no text", hint: "Give what sealToken() resolved to." }];

import { compactDecrypt } from "jose/jwe/compact/decrypt";
import { CompactEncrypt } from "jose/jwe/compact/encrypt";
import * as z from "zod/mini";
import type { Milliseconds } from "../clock.ts";
import { configError } from "../report/errors.ts";
import { timeSpan } from "../report/time-span.ts";
import type { AccessToken } from "../token/access-token.ts";
import { decodeSegment, isJws } from "../token/jws.ts";
import { handoffError } from "./handoff-error.ts";
import { ALG, damaged, ENC, judgeLength, parseJson, saltOf, sealHeader } from "./sealed-form.ts";
import { judgeSealingSecret, SALT_LENGTH, sealingKey, type SealIdentity } from "./sealing-key.ts";

/** What of a token is sealed. */
export type Sealable = Pick<AccessToken, "value" | "expiresAt" | "lifetime">;

/** What was in a sealed token: proved in nothing but that it was sealed under this secret. */
export interface Opened {
  readonly token: string;
  /** The earlier of the ends that the sealed text and the token itself tell, in milliseconds since 1970 UTC. */
  readonly expiresAt: Milliseconds;
}

/** The end of the year 9999, in seconds since 1970: later dates are nonsense. */
const LATEST = 253_402_300_799;
const numericDate = z.number().check(z.gte(0), z.lte(LATEST));
/** What is encrypted: the token, and its end in seconds since 1970 (RFC 7519 section 2, NumericDate). */
const payloadSchema = z.object({ access_token: z.string(), exp: numericDate });
const claimsSchema = z.object({ exp: numericDate });

const encoder = new TextEncoder();

/**
 * Seals a token for others who have the same client secret. Salt and IV come from the system's randomness, new ones
 * each time. The text is in characters of base64url and dots; docs/sealed-token.md tells of its format.
 *
 * @param wall - our wall clock
 * @throws AuthError: of kind `config` when the secret is too weak, see {@link judgeSealingSecret}, or nobody knows how
 * long the token lives; of kind `verification` when it has ended, is no JWT, or is too long
 */
export async function seal(identity: SealIdentity, token: Sealable, wall: Milliseconds): Promise<string> {
  const weakness = judgeSealingSecret(identity.clientSecret);
  if (weakness !== undefined) throw configError([weakness]);
  if (!isJws(token.value))
    throw handoffError("an opaque token (no JWT) can't be sealed.", "sealed_opaque", { kind: "verification" });
  const payload = { access_token: token.value, exp: endOf(token, wall) };
  const salt = crypto.getRandomValues(new Uint8Array(SALT_LENGTH));
  // The IV is drawn by jose, from the same source.
  const sealed = await new CompactEncrypt(encoder.encode(JSON.stringify(payload)))
    .setProtectedHeader(sealHeader(salt))
    .encrypt(await sealingKey(identity, salt));
  judgeLength(sealed);
  return sealed;
}

/** In whole seconds since 1970. */
function endOf({ expiresAt, lifetime }: Sealable, wall: Milliseconds): number {
  if (expiresAt === undefined || lifetime === undefined)
    throw handoffError("nobody knows how long the token lives, so it can't be sealed.", "unknown_life");
  const end = Math.floor(Math.min(expiresAt.getTime(), wall + lifetime) / 1000);
  judgeEnd(end * 1000, wall);
  return end;
}

function judgeEnd(end: Milliseconds, wall: Milliseconds): void {
  if (end <= wall)
    throw handoffError(`the token that is sealed ended ${timeSpan(wall - end)} ago.`, "sealed_stale", {
      kind: "verification",
    });
}

/**
 * Opens a sealed token. What was in it is still to be proved, as a stranger's is.
 *
 * @param wall - our wall clock
 * @param derive - makes the key, once the text's length and its header are found right
 * @throws AuthError of kind `verification`, with a code for each reason: `sealed_too_long`, `sealed_damaged`,
 * `sealed_version`, `sealed_foreign` when the key does not fit, `sealed_stale`
 */
export async function openSealed(
  identity: SealIdentity,
  sealed: string,
  wall: Milliseconds,
  derive: typeof sealingKey = sealingKey,
): Promise<Opened> {
  const key = await derive(identity, saltOf(sealed));
  const { success, data } = payloadSchema.safeParse(parseJson(await decrypt(sealed, key)));
  if (!success) throw damaged("does not hold what it must");
  const { access_token: token, exp } = data;
  const expiresAt = Math.min(exp, claimedEnd(token)) * 1000;
  judgeEnd(expiresAt, wall);
  return { token, expiresAt };
}

async function decrypt(sealed: string, key: Uint8Array): Promise<Uint8Array> {
  try {
    const only = { keyManagementAlgorithms: [ALG], contentEncryptionAlgorithms: [ENC] };
    return (await compactDecrypt(sealed, key, only)).plaintext;
  } catch {
    // A changed text and another key look the same, on purpose.
    throw handoffError(
      "the sealed token does not open: it was sealed with another client id, secret, scope or token URL, or was changed.",
      "sealed_foreign",
      { kind: "verification" },
    );
  }
}

/** The end that a JWT claims, in seconds since 1970. All else that is wrong with it shows when it is proved. */
function claimedEnd(token: string): number {
  const [, claims = ""] = token.split(".");
  const { success, data } = claimsSchema.safeParse(parseJson(decodeSegment(claims)));
  if (!success) throw damaged("holds a token that tells no end");
  return data.exp;
}

import { createHash, hkdf } from "node:crypto";
import { promisify } from "node:util";
import type { Problem } from "../report/fields.ts";
import type { AuthRequest } from "../token/auth-request.ts";
import { scopeSet } from "../token/scope.ts";

/** The version of the sealed format, which its keys are bound to as well. */
export const SEAL_VERSION = 1;
/** In bytes: as long as the hash (RFC 5869 section 3.1). */
export const SALT_LENGTH = 32;
/** In bytes: what A256GCM takes (RFC 7518 section 5.3). */
const KEY_LENGTH = 32;

const UUID = /^[\da-f]{8}-[\da-f]{4}-([\da-f])[\da-f]{3}-([\da-f])[\da-f]{3}-[\da-f]{12}$/i;
/** The version and the variant of a UUID that is random (RFC 9562 sections 4.1, 5.4). */
const RANDOM_VERSION = "4";
const VARIANT = /[89ab]/i;
/** How long another secret must be, and how many of its characters must differ from each other. */
const LEAST_LENGTH = 32;
const LEAST_DISTINCT = 16;

/** What the key is bound to, beside the secret. */
export type SealIdentity = Pick<AuthRequest, "clientId" | "clientSecret" | "scope" | "tokenUrl">;

const deriveKey = promisify(hkdf);

/**
 * The key under which a token is sealed: HKDF with SHA-256 (RFC 5869) of the client secret, bound to the version, the
 * token URL, the client id and the set of scopes. 32 bytes.
 *
 * @param salt - 32 random bytes, new ones for each token
 */
export async function sealingKey(identity: SealIdentity, salt: Uint8Array): Promise<Uint8Array> {
  const { clientId, clientSecret, scope, tokenUrl } = identity;
  const bound = [`scm-auth seal ${SEAL_VERSION}`, tokenUrl.href, clientId, scopeSet(scope)];
  // A digest: the names may be longer than the 1024 bytes that node takes here.
  const info = createHash("sha256").update(JSON.stringify(bound)).digest();
  return new Uint8Array(await deriveKey("sha256", clientSecret, salt, info, KEY_LENGTH));
}

/**
 * What is wrong with a secret as one to seal under; undefined when nothing is. Whoever sees a sealed token can try
 * secrets on it for ever, without asking any server: only one that nobody can guess will do. UUIDs of other versions
 * hold the time or a name.
 */
export function judgeSealingSecret(secret: string): Problem | undefined {
  const [, version, variant = ""] = UUID.exec(secret) ?? [];
  const characters = [...secret];
  const isStrong =
    version === undefined
      ? characters.length >= LEAST_LENGTH && new Set(characters).size >= LEAST_DISTINCT
      : version === RANDOM_VERSION && VARIANT.test(variant);
  if (isStrong) return undefined;
  return {
    field: "clientSecret",
    reason: "is too weak to seal under: whoever sees the sealed token could find it out by trying",
    hint: `Seal under a secret as Strata Cloud Manager makes them (a random UUID, version 4), or one of at least ${LEAST_LENGTH} characters, ${LEAST_DISTINCT} of them different.`,
  };
}

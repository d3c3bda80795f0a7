import { compactDecrypt } from "jose/jwe/compact/decrypt";
import { CompactEncrypt } from "jose/jwe/compact/encrypt";
import * as z from "zod/mini";
import { decodeJsonSegment, decodeSegment } from "./jwt.ts";

/** Password-based key encryption, for secrets of unknown strength (RFC 7518 section 4.8). */
const ALGORITHM = "PBES2-HS512+A256KW";
const ENCRYPTION = "A256GCM";
/** PBKDF2 iterations (`p2c`): OWASP's minimum for PBKDF2-HMAC-SHA512, about 100 ms. */
const ITERATIONS = 210_000;
/** More would keep the recipient busy. */
const MAX_ITERATIONS = 1_000_000;

const headerSchema = () =>
  z.strictObject({
    alg: z.literal(ALGORITHM),
    enc: z.literal(ENCRYPTION),
    p2c: z.int().check(z.gte(ITERATIONS), z.lte(MAX_ITERATIONS)),
    p2s: z.string(),
  });

/** Encrypts a text as a compact JWE (RFC 7516 section 7.1). */
export function encryptWithPassword(text: string, password: string): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION })
    .setKeyManagementParameters({ p2c: ITERATIONS })
    .encrypt(new TextEncoder().encode(password));
}

/** Whether `jwe` has the form and the header that {@link encryptWithPassword} writes. */
export function isSupportedJwe(jwe: string): boolean {
  const segments = jwe.split(".");
  if (segments.length !== 5 || segments.some((segment) => decodeSegment(segment) === undefined)) return false;
  return headerSchema().safeParse(decodeJsonSegment(segments[0] ?? "")).success;
}

/** Decrypts a supported JWE. @throws Error if it was modified, or encrypted with another password */
export async function decryptWithPassword(jwe: string, password: string): Promise<string> {
  const { plaintext } = await compactDecrypt(jwe, new TextEncoder().encode(password), {
    keyManagementAlgorithms: [ALGORITHM],
    contentEncryptionAlgorithms: [ENCRYPTION],
    maxPBES2Count: MAX_ITERATIONS,
  });
  return new TextDecoder("utf-8", { fatal: true }).decode(plaintext);
}

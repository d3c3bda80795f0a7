import { createCipheriv, createDecipheriv, pbkdf2Sync, randomBytes } from "node:crypto";

/** An independent implementation of JWE with PBES2-HS512+A256KW and A256GCM (RFC 7516, RFC 7518), using node:crypto. */

const ALG = "PBES2-HS512+A256KW";
/** The default initial value of AES Key Wrap (RFC 3394 section 2.2.3.1). */
const KEY_WRAP_IV = Buffer.alloc(8, 0xa6);

const toBase64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const fromBase64url = (segment: string): Buffer => Buffer.from(segment, "base64url");

/** Derives the key. The salt consists of `alg`, a zero byte, and `p2s` (RFC 7518 section 4.8.1.1). */
const deriveKey = (password: string, p2s: Buffer, p2c: number): Buffer =>
  pbkdf2Sync(password, Buffer.concat([Buffer.from(`${ALG}\0`), p2s]), p2c, 32, "sha512");

export function encryptByReference(plaintext: string, password: string, p2c = 210_000): string {
  const p2s = randomBytes(16);
  const header = toBase64url(Buffer.from(JSON.stringify({ alg: ALG, enc: "A256GCM", p2s: toBase64url(p2s), p2c })));
  const contentKey = randomBytes(32);
  const wrap = createCipheriv("id-aes256-wrap", deriveKey(password, p2s, p2c), KEY_WRAP_IV);
  const encryptedKey = Buffer.concat([wrap.update(contentKey), wrap.final()]);
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", contentKey, iv).setAAD(Buffer.from(header));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return [header, ...[encryptedKey, iv, ciphertext, cipher.getAuthTag()].map(toBase64url)].join(".");
}

/** @throws Error if the password is wrong or the JWE is invalid */
export function decryptByReference(jwe: string, password: string): string {
  const [header = "", ...segments] = jwe.split(".");
  const [encryptedKey, iv, ciphertext, tag] = segments.map(fromBase64url) as [Buffer, Buffer, Buffer, Buffer];
  const { p2s, p2c } = JSON.parse(fromBase64url(header).toString()) as { readonly p2s: string; readonly p2c: number };
  const unwrap = createDecipheriv("id-aes256-wrap", deriveKey(password, fromBase64url(p2s), p2c), KEY_WRAP_IV);
  const contentKey = Buffer.concat([unwrap.update(encryptedKey), unwrap.final()]);
  const decipher = createDecipheriv("aes-256-gcm", contentKey, iv).setAAD(Buffer.from(header)).setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString();
}

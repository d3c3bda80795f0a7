import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";

/**
 * A second implementation of sealed tokens, written from docs/sealed-token.md with node:crypto alone. It judges nothing
 * and seals anything, also what no honest writer would.
 */

/** What the key is made of, as people give it. */
export interface SealedFor {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  readonly tokenUrl: string;
}

const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("base64url");

/** What the key is bound to, beside the secret: 32 bytes. */
export function infoByHand({ clientId, scope, tokenUrl }: SealedFor): Buffer {
  const words = scope.split(" ").filter((word, at, all) => word !== "" && all.indexOf(word) === at);
  const bound = ["scm-auth seal 1", new URL(tokenUrl).href, clientId, words.sort().join(" ")];
  return createHash("sha256").update(JSON.stringify(bound), "utf8").digest();
}

/** The key, 32 bytes. */
export const keyByHand = (identity: SealedFor, salt: Uint8Array): Buffer =>
  Buffer.from(hkdfSync("sha256", Buffer.from(identity.clientSecret, "utf8"), salt, infoByHand(identity), 32));

/** The header that an honest writer gives. */
export const headerByHand = (salt: Uint8Array): Readonly<Record<string, unknown>> => ({
  alg: "dir",
  enc: "A256GCM",
  v: 1,
  salt: base64url(salt),
});

/** What may be otherwise than an honest writer has it. */
export interface Liberties {
  /** The protected header: text as it is, or what is written as JSON. */
  readonly header?: (salt: Uint8Array) => string | object;
  readonly salt?: Uint8Array;
  readonly iv?: Uint8Array;
}

/** Seals any bytes under the right key. */
export function sealByHand(identity: SealedFor, payload: string | Uint8Array, liberties: Liberties = {}): string {
  const { salt = randomBytes(32), iv = randomBytes(12), header = headerByHand } = liberties;
  const written = header(salt);
  const protectedHeader = base64url(typeof written === "string" ? written : JSON.stringify(written));
  const cipher = createCipheriv("aes-256-gcm", keyByHand(identity, salt), iv);
  cipher.setAAD(Buffer.from(protectedHeader, "ascii"));
  const ciphertext = Buffer.concat([cipher.update(payload), cipher.final()]);
  return [protectedHeader, "", ...[iv, ciphertext, cipher.getAuthTag()].map(base64url)].join(".");
}

/** The payload of a sealed text. */
export function openByHand(identity: SealedFor, sealed: string): unknown {
  const [header = "", , iv = "", ciphertext = "", tag = ""] = sealed.split(".");
  const bytes = (segment: string): Buffer => Buffer.from(segment, "base64url");
  const { salt } = JSON.parse(bytes(header).toString()) as { readonly salt: string };
  const decipher = createDecipheriv("aes-256-gcm", keyByHand(identity, bytes(salt)), bytes(iv));
  decipher.setAAD(Buffer.from(header, "ascii"));
  decipher.setAuthTag(bytes(tag));
  return JSON.parse(Buffer.concat([decipher.update(bytes(ciphertext)), decipher.final()]).toString());
}

import * as z from "zod/mini";
import type { AuthError } from "../report/errors.ts";
import { decodeSegment } from "../token/jws.ts";
import { handoffError } from "./handoff-error.ts";
import { SALT_LENGTH, SEAL_VERSION } from "./sealing-key.ts";

/**
 * The form of a sealed token, which is judged as a whole before any key is derived: a JWE in compact serialization
 * (RFC 7516 section 7.1) with this header and nothing else in it. An identifier there could hold a masked text, and the
 * Actions runner drops a job's output that does.
 */

/** How the parts are encrypted: directly under the key derived (RFC 7518 sections 4.5, 5.3). Nothing else is accepted. */
export const ALG = "dir";
export const ENC = "A256GCM";
/** In characters: any longer text is none of ours, and is not looked at. */
const LONGEST_SEALED = 16_384;
/** Of A256GCM, in bytes (RFC 7518 section 5.3). */
const IV_LENGTH = 12;
const TAG_LENGTH = 16;

/** The protected header: algorithms, version and salt (base64url) alone. */
export type SealHeader = z.infer<typeof headerSchema>;

const headerSchema = z.strictObject({
  alg: z.literal(ALG),
  enc: z.literal(ENC),
  v: z.literal(SEAL_VERSION),
  salt: z.string(),
});
const versioned = z.looseObject({ v: z.int() });

/** The header of a text that is sealed now. */
export const sealHeader = (salt: Uint8Array): SealHeader => ({
  alg: ALG,
  enc: ENC,
  v: SEAL_VERSION,
  salt: Buffer.from(salt).toString("base64url"),
});

const refuse = (what: string, code: "sealed_too_long" | "sealed_damaged" | "sealed_version"): AuthError =>
  handoffError(`the sealed token ${what}.`, code, { kind: "verification" });

/** An error about a sealed text, or what is in it, that is not as it must be: the rest of a sentence. */
export const damaged = (what: string): AuthError => refuse(what, "sealed_damaged");

/** @throws AuthError of kind `verification` with the code `sealed_too_long` */
export function judgeLength(sealed: string): void {
  if (sealed.length > LONGEST_SEALED) throw refuse(`is longer than ${LONGEST_SEALED / 1024} KiB`, "sealed_too_long");
}

/**
 * The salt of a sealed text that is of our form: 32 bytes.
 *
 * @throws AuthError of kind `verification` with the code `sealed_too_long`, `sealed_damaged` or `sealed_version`
 */
export function saltOf(sealed: string): Uint8Array {
  // First of all: what comes in may be of any length.
  judgeLength(sealed);
  const [header = "", key, ...others] = sealed.split(".");
  const { salt: encodedSalt } = judgeHeader(header);
  const [iv, ciphertext, tag] = others.map(decodeSegment);
  if (key !== "" || others.length !== 3) throw damaged("is not in the five parts that it must have");
  if (iv?.length !== IV_LENGTH || ciphertext === undefined || tag?.length !== TAG_LENGTH)
    throw damaged("has a part that is cut, or not in canonical base64url");
  const salt = decodeSegment(encodedSalt);
  if (salt?.length !== SALT_LENGTH) throw damaged(`has a salt that is not ${SALT_LENGTH} bytes`);
  return salt;
}

function judgeHeader(segment: string): SealHeader {
  const json = parseJson(decodeSegment(segment));
  const { success: tellsVersion, data: told } = versioned.safeParse(json);
  if (!tellsVersion) throw damaged("has a header that can't be read");
  if (told.v !== SEAL_VERSION)
    throw refuse(`has version ${told.v} of the format, and only version ${SEAL_VERSION} is known`, "sealed_version");
  const { success, data } = headerSchema.safeParse(json);
  // Written anew it must be the same text: so no name stands in it twice.
  if (!success || Buffer.from(JSON.stringify(json)).toString("base64url") !== segment)
    throw damaged("has a header that is not as it must be");
  return data;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What bytes say in JSON; undefined when they say nothing. */
export function parseJson(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

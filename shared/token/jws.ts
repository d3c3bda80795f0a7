import * as z from "zod/mini";
import { AuthError } from "../report/errors.ts";

/** A JWS in compact form (RFC 7515 section 7.1), decoded and not yet believed. */
export interface DecodedJws {
  /** JWS `alg`, which the verifier compares with the one it accepts. */
  readonly alg: string;
  readonly kid: string | undefined;
  readonly payload: unknown;
}

const LONGEST_KID = 256;

/** Keys that the token itself offers (`jwk`, `jku`, `x5c`, `x5u`) are not read at all. */
const headerSchema = z.looseObject({
  alg: z.string(),
  kid: z.optional(z.string().check(z.maxLength(LONGEST_KID))),
});

const malformed = (what: string): AuthError =>
  new AuthError(`the token ${what}.`, { kind: "verification", code: "malformed_token" });

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The bytes of one segment; undefined unless it is base64url in its one canonical form (RFC 4648 section 3.5). */
export function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, "base64url");
  return segment !== "" && bytes.toString("base64url") === segment ? bytes : undefined;
}

/** The JSON of a segment that is base64url; undefined when it is none. */
function decodeJson(segment = ""): unknown {
  try {
    return JSON.parse(utf8.decode(Buffer.from(segment, "base64url"))) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Whether `token` means to be a JWS, well made or not: three segments, the first of which decodes to a JSON
 * object however carelessly it is encoded.
 */
export function isJws(token: string): boolean {
  const [header = "", ...others] = token.split(".");
  if (others.length !== 2) return false;
  try {
    return typeof JSON.parse(Buffer.from(header, "base64url").toString()) === "object";
  } catch {
    return false;
  }
}

/** @throws AuthError of kind `verification` when `token` is not what RFC 7515 section 7.1 says */
export function decodeJws(token: string): DecodedJws {
  const segments = token.split(".");
  if (segments.length !== 3 || segments.some((segment) => decodeSegment(segment) === undefined)) {
    throw malformed("is not three parts in canonical base64url");
  }
  const header = decodeJson(segments[0]);
  const parsed = headerSchema.safeParse(header);
  if (!parsed.success) throw malformed("has a header that is not as it must be (alg, kid)");
  // RFC 7515 section 4.1.11: whoever does not understand an extension must refuse it, and we understand none.
  if ("crit" in parsed.data) throw malformed("asks for an extension (crit) that is not understood");
  const payload = decodeJson(segments[1]);
  if (payload === undefined) throw malformed("has a body that is no JSON");
  return { alg: parsed.data.alg, kid: parsed.data.kid, payload };
}

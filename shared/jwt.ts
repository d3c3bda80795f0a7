import * as z from "zod/mini";
import { AuthError } from "./errors.ts";

/** A decoded JWT (RFC 7519) in JWS compact serialization (RFC 7515 section 7.1). Nothing in it is verified. */
export interface DecodedJwt {
  /** The signature algorithm (RFC 7515 section 4.1.1). */
  readonly alg: string;
  /** The key ID (RFC 7515 section 4.1.4). */
  readonly kid: string | undefined;
  readonly payload: unknown;
}

/** In characters. SCM's key IDs contain `/` and `=`. */
const MAX_KID_LENGTH = 256;

/** Keys in the header (`jwk`, `jku`, `x5c`, `x5u`) are ignored. */
const headerSchema = () =>
  z.looseObject({ alg: z.string(), kid: z.optional(z.string().check(z.maxLength(MAX_KID_LENGTH))) });

const malformed = (description: string): AuthError =>
  new AuthError(`the token ${description}.`, { kind: "verification", code: "malformed_token" });

/** The bytes of a segment; undefined if it is not canonical base64url (RFC 4648 sections 3.5 and 5). */
export function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, "base64url");
  return segment !== "" && bytes.toString("base64url") === segment ? bytes : undefined;
}

/** The JSON of a segment; undefined if it is not canonical base64url of JSON in UTF-8. */
export function decodeJsonSegment(segment: string): unknown {
  const bytes = decodeSegment(segment);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether `token` is meant to be a JWT, valid or not: three segments, the first of which decodes to a JSON object. */
export function looksLikeJwt(token: string): boolean {
  const [header = "", ...others] = token.split(".");
  if (others.length !== 2) return false;
  try {
    return typeof JSON.parse(Buffer.from(header, "base64url").toString()) === "object";
  } catch {
    return false;
  }
}

/** @throws AuthError of kind `verification` with code `malformed_token` */
export function decodeJwt(token: string): DecodedJwt {
  const segments = token.split(".");
  if (segments.length !== 3 || segments.some((segment) => decodeSegment(segment) === undefined))
    throw malformed("is not a compact JWS");
  const [header, payload] = segments.map(decodeJsonSegment);
  const parsed = headerSchema().safeParse(header);
  if (!parsed.success) throw malformed("has an invalid header (alg, kid)");
  // RFC 7515 section 4.1.11: extensions that are not understood must be rejected, and none is understood here.
  if ("crit" in parsed.data) throw malformed("uses unsupported extensions (crit)");
  if (payload === undefined) throw malformed("has a payload that is not JSON");
  return { alg: parsed.data.alg, kid: parsed.data.kid, payload };
}

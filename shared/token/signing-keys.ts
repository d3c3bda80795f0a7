import * as z from "zod/mini";
import { judgeJson, parseJson } from "../http/json-answer.ts";
import type { Verdict } from "../http/retry.ts";
import type { HttpAnswer, HttpRequest } from "../http/send.ts";
import { AuthError } from "../report/errors.ts";
import type { Quote } from "../report/redactor.ts";

/** A public RSA key that may sign tokens (RFC 7517 section 4, RFC 7518 section 6.3.1). */
export interface SigningKey {
  readonly kty: "RSA";
  /** The modulus, in base64url. */
  readonly n: string;
  /** The exponent, in base64url: `AQAB` as a rule. */
  readonly e: string;
  /** Its name in the key set. */
  readonly kid?: string | undefined;
}

/** The request for the key set. */
export const keysRequest = (jwksUrl: URL): HttpRequest => ({
  method: "GET",
  url: jwksUrl,
  headers: { accept: "application/json" },
});

const keySet = z.object({ keys: z.array(z.unknown()) });
/** Only these are copied from a key: whatever else it holds (`x5u`, private parts) is nobody's business. */
const signingKey = z.object({
  kty: z.literal("RSA"),
  n: z.string(),
  e: z.string(),
  kid: z.optional(z.string()),
  use: z.optional(z.literal("sig")),
  key_ops: z.optional(z.array(z.string()).check(z.refine((operations) => operations.includes("verify")))),
  alg: z.optional(z.literal("RS256")),
});

/** What an answer to {@link keysRequest} means. Keys of other kinds and for other uses are passed over. */
export function judgeKeys(answer: HttpAnswer, quote: Quote): Verdict<readonly SigningKey[]> {
  const failed = judgeJson("request for the signing keys", answer, quote);
  if (failed) return failed;
  const parsed = keySet.safeParse(parseJson(answer.body));
  if (!parsed.success) return badKeySet('the signing keys are not as they must be: a JSON object with a list "keys".');
  const keys = parsed.data.keys.flatMap((key) => {
    const { success, data } = signingKey.safeParse(key);
    return success ? [Object.freeze({ kty: data.kty, n: data.n, e: data.e, kid: data.kid })] : [];
  });
  return keys.length > 0 ? { is: "done", value: keys } : badKeySet("the key set holds no RSA key for signing.");
}

const badKeySet = (what: string): Verdict<never> => ({
  is: "final",
  error: new AuthError(what, { kind: "protocol", code: "bad_key_set" }),
});

/** The keys that may have signed a token with this `kid`: those of that name, or all when it names none. */
export const keysFor = (keys: readonly SigningKey[], kid: string | undefined): readonly SigningKey[] =>
  kid === undefined ? keys : keys.filter((key) => key.kid === kid);

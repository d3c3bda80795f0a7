/** Shorter values occur in unrelated text. */
const MIN_LENGTH = 8;

/** The parts of a token that are secret without the rest; of any other secret, the whole. */
const getParts = (secret: string): readonly string[] => {
  const [, payload = "", signature = ""] = /^[\w-]+\.([\w-]+)\.([\w-]+)$/.exec(secret) ?? [];
  return [secret, `${payload}.${signature}`, signature].filter((part) => part.length >= MIN_LENGTH);
};

/** What base64 makes of `text` behind 0, 1 and 2 other bytes: the characters that depend on nothing else. */
const toBase64 = (text: string): readonly string[] =>
  [0, 1, 2].map((lead) => {
    const bytes = Buffer.concat([Buffer.alloc(lead), Buffer.from(text)]);
    return bytes.toString("base64").slice(Math.ceil((lead * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });

/** Base64url as base64, without whitespace, in lower case. */
const normalize = (text: string): string =>
  text.replace(/\s+/g, "").replaceAll("-", "+").replaceAll("_", "/").toLowerCase();

/**
 * Looks for secrets: plain, percent-encoded, as JSON, in base64 (or base64url) at its three alignments and in hex, in
 * either case and however the text is wrapped.
 *
 * @param texts - by the name of where each was found
 * @throws Error that names the place and the form, never the secret
 */
export function assertNoSecret(texts: Readonly<Record<string, string | Uint8Array>>, secrets: readonly string[]): void {
  for (const [place, text] of Object.entries(texts)) {
    const haystack = normalize(typeof text === "string" ? text : Buffer.from(text).toString());
    for (const [index, secret] of secrets.entries()) {
      for (const part of getParts(secret.trim())) {
        const forms: Readonly<Record<string, readonly string[]>> = {
          plain: [part],
          "percent encoding": [encodeURIComponent(part), new URLSearchParams({ "": part }).toString().slice(1)],
          JSON: [JSON.stringify(part).slice(1, -1)],
          base64: toBase64(part),
          hex: [Buffer.from(part).toString("hex")],
        };
        for (const [form, variants] of Object.entries(forms))
          if (variants.some((variant) => haystack.includes(normalize(variant))))
            throw new Error(`Secret ${index} leaked in ${form} in ${place}.`);
      }
    }
  }
}

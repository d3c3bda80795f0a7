/** Values that are shorter than this may occur in unrelated text. */
const MIN_LENGTH = 8;

/** Returns the parts of a token that must be secret on their own, or any other secret as a whole. */
const getParts = (secret: string): readonly string[] => {
  const [, payload = "", signature = ""] = /^[\w-]+\.([\w-]+)\.([\w-]+)$/.exec(secret) ?? [];
  return [secret, `${payload}.${signature}`, signature].filter((part) => part.length >= MIN_LENGTH);
};

/** Encodes `text` in base64 after 0, 1, and 2 other bytes. Returns only the characters that depend on `text` alone. */
const toBase64 = (text: string): readonly string[] =>
  [0, 1, 2].map((lead) => {
    const bytes = Buffer.concat([Buffer.alloc(lead), Buffer.from(text)]);
    return bytes.toString("base64").slice(Math.ceil((lead * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });

/** Converts base64url to base64, removes whitespace, and converts to lowercase. */
const normalize = (text: string): string =>
  text.replace(/\s+/g, "").replaceAll("-", "+").replaceAll("_", "/").toLowerCase();

/**
 * Searches texts for secrets in plain text, percent encoding, JSON, base64 or base64url (at all three alignments), and
 * hexadecimal. Ignores case and whitespace.
 *
 * @param texts - the texts to search, by the name of the place each comes from
 * @throws Error that contains the place and the form, but never the secret
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

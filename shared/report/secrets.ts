/**
 * What a secret looks like after the encoders it may pass on its way into a log. The one table feeds the
 * redactor, the runner's masks and the tests' canary search.
 */

type Encoder = (text: string) => readonly string[];

/** Shorter pieces of an encoding would hide half of an innocent log. */
const SHORTEST_PIECE = 8;

const lowerHex = (percentEncoded: string): string =>
  percentEncoded.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase());
const upperHex = (percentEncoded: string): string =>
  percentEncoded.replace(/%[0-9a-f]{2}/g, (hex) => hex.toUpperCase());
const bothCases = (text: string): readonly string[] => [upperHex(text), lowerHex(text)];
const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
const replaceByTable = (text: string, table: Readonly<Record<string, string>>): string =>
  text.replace(/[&<>"']/g, (character) => table[character] ?? character);

const MARKUP = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" } as const;

/**
 * The characters that base64 gives `bytes` wherever they stand in a longer text: for each of the three
 * alignments (RFC 4648 section 4) those that depend on no neighbouring byte.
 */
function base64Pieces(bytes: Buffer, encoding: "base64" | "base64url"): readonly string[] {
  return [0, 1, 2]
    .map((lead) => {
      const encoded = Buffer.concat([Buffer.alloc(lead), bytes]).toString(encoding);
      return encoded.slice(Math.ceil((lead * 8) / 6), Math.floor(((lead + bytes.length) * 8) / 6));
    })
    .filter((piece) => piece.length >= SHORTEST_PIECE);
}

/** What proves a token without its beginning: with the claims guessed, the signature is all that is secret. */
const signedParts = (text: string): readonly string[] => /^[\w-]+\.([\w-]+\.([\w-]{8,}))$/.exec(text)?.slice(1) ?? [];

function hexOf(text: string): readonly string[] {
  const digits = Buffer.from(text).toString("hex");
  return [digits, digits.toUpperCase()];
}

const ENCODERS: Readonly<Record<string, Encoder>> = Object.freeze({
  plain: (text) => [text, ...text.split(/[\r\n]+/)],
  jws: signedParts,
  percent: (text) => bothCases(encodeURIComponent(text)),
  percentStrict: (text) =>
    bothCases(encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)),
  percentAll: (text) => hexOf(text).map((digits) => digits.replace(/../g, "%$&")),
  form: (text) => bothCases(new URLSearchParams({ "": text }).toString().slice(1)),
  json: (text) => {
    const escaped = JSON.stringify(text).slice(1, -1);
    return [
      escaped,
      escaped.replaceAll("/", "\\/"),
      escaped.replace(/[^\x20-\x7e]/g, escapeUnit),
      escaped.replace(/[<>&\u2028\u2029]/g, escapeUnit),
      escaped.replace(/[^\x20-\x7e]|[<>&'+]/g, escapeUnit),
    ];
  },
  jsonAll: (text) => [text.replace(/[^]/g, escapeUnit)],
  markup: (text) => ["&#39;", "&#x27;", "&apos;", "'"].map((quote) => replaceByTable(text, { ...MARKUP, "'": quote })),
  base64: (text) => [Buffer.from(text).toString("base64"), ...base64Pieces(Buffer.from(text), "base64")],
  base64url: (text) => [Buffer.from(text).toString("base64url"), ...base64Pieces(Buffer.from(text), "base64url")],
  hex: hexOf,
});

/**
 * Every form of `secret` that must not be seen, longest first, each once: as it is and without the white
 * space around it, in percent, form, JSON, markup, base64, base64url and hex encoding. Empty for a blank secret.
 */
export function secretForms(secret: string): readonly string[] {
  const forms = new Set<string>();
  const text = secret.toWellFormed();
  for (const read of new Set([text, text.trim()])) {
    for (const encode of Object.values(ENCODERS)) {
      for (const form of encode(read)) if (form.trim() !== "") forms.add(form);
    }
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

import { bare, readingsOf } from "./readings.ts";

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
function signedParts(text: string): readonly string[] {
  const [, payload, signature] = /^[\w-]+\.([\w-]+)\.([\w-]{8,})$/.exec(text) ?? [];
  return payload !== undefined && signature !== undefined ? [`${payload}.${signature}`, signature] : [];
}

const ENCODERS: Readonly<Record<string, Encoder>> = Object.freeze({
  plain: (text) => [text, ...text.split(/[\r\n]+/)],
  jws: signedParts,
  percent: (text) => bothCases(encodeURIComponent(text)),
  percentStrict: (text) =>
    bothCases(encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)),
  percentAll: (text) => bothCases(Buffer.from(text).toString("hex").replace(/../g, "%$&")),
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
  hex: (text) => [Buffer.from(text).toString("hex"), Buffer.from(text).toString("hex").toUpperCase()],
});

/**
 * Every form of `secret` that must not be seen, longest first, each once: as it is and without the white
 * space around it, in percent, form, JSON, markup, base64, base64url and hex encoding. Empty for a blank secret.
 */
export function secretForms(secret: string): readonly string[] {
  const forms = new Set<string>();
  for (const text of [secret.toWellFormed(), secret.toWellFormed().trim()]) {
    for (const encode of Object.values(ENCODERS)) {
      for (const form of encode(text)) if (form.trim() !== "") forms.add(form);
    }
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

const lowerAscii = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

const HIDDEN = "***";
/** In characters; many times what any line shows, so what is cut here is never seen. */
const LONGEST_TEXT = 16_384;

/** Hides secrets in text from outside. Letters match in either case, so that mixed-case hex hides too. */
export class Redactor {
  /** All forms as they are searched for: in lower case. */
  readonly #forms = new Set<string>();
  /** All forms as they are masked. */
  readonly #known = new Set<string>();
  /** The secrets, as they were given. */
  readonly #secrets = new Set<string>();
  /** The secrets themselves, as {@link readingsOf} reads. */
  readonly #bare = new Set<string>();

  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.add(secret);
  }

  /** From now on hides `secret` as well. Gives back those of its forms that were not hidden before, longest first. */
  add(secret: string): readonly string[] {
    if (this.#secrets.has(secret)) return [];
    this.#secrets.add(secret);
    const forms = secretForms(secret).filter((form) => !this.#known.has(form));
    for (const form of forms) this.#known.add(form);
    for (const form of forms) this.#forms.add(lowerAscii(form));
    if (bare(secret) !== "") this.#bare.add(bare(secret));
    return forms;
  }

  /**
   * `text` with each stretch that any form of a secret covers replaced by `***`. No form is left in it. Where a
   * secret can still be read after the usual decodings (encoded twice, broken up by invisible characters), all
   * of it is hidden. Cut after 16 Ki characters: nothing that long is shown, and what a server sends may be endless.
   */
  redact(text: string): string {
    const hidden = this.#replaceForms(text).slice(0, LONGEST_TEXT);
    return this.#canBeReadIn(hidden) ? this.#removeAll(HIDDEN) : hidden;
  }

  #canBeReadIn(text: string): boolean {
    const readings = [...readingsOf(text)];
    return [...this.#bare].some((secret) => readings.some((reading) => reading.includes(secret)));
  }

  #replaceForms(text: string): string {
    const hidden = this.#replace(text, HIDDEN);
    // A secret made of asterisks, say, could come together anew around the replacement.
    return this.#spans(hidden).length === 0 ? hidden : this.#removeAll(hidden);
  }

  #removeAll(text: string): string {
    let rest = text;
    while (this.#spans(rest).length > 0) rest = this.#replace(rest, " ");
    return rest;
  }

  #replace(text: string, replacement: string): string {
    let result = "";
    let position = 0;
    for (const [start, end] of this.#spans(text)) {
      result += text.slice(position, start) + replacement;
      position = end;
    }
    return result + text.slice(position);
  }

  /** Where forms stand in `text`, overlapping ones joined, in order. */
  #spans(text: string): readonly (readonly [start: number, end: number])[] {
    const haystack = lowerAscii(text);
    const found: [number, number][] = [];
    for (const form of this.#forms) {
      for (let at = haystack.indexOf(form); at !== -1; at = haystack.indexOf(form, at + 1))
        found.push([at, at + form.length]);
    }
    found.sort((a, b) => a[0] - b[0]);
    const joined: [number, number][] = [];
    for (const span of found) {
      const last = joined.at(-1);
      if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
      else joined.push(span);
    }
    return joined;
  }
}

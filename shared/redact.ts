/** Maximum length, in characters, of external text in one message. */
const MAX_QUOTED = 300;
/**
 * Maximum length, in characters, of text to process. Longer text is truncated first, because a server may send any
 * amount.
 */
const MAX_INPUT = 16_384;
/** Minimum length of a hidden line in a multiline secret. Hiding a single brace would hide every brace in a log. */
const MIN_LINE = 4;
/**
 * Minimum length, in characters, of a substring that identifies a secret in external text. Shorter substrings would
 * hide unrelated output.
 */
const MIN_RUN = 8;

const MASK = "***";
const REMOVED = "(removed: it contains part of a secret)";

/**
 * Makes external text safe for one line of a log. Control characters, line separators, and characters that reorder text
 * become spaces. Nothing remains that the Actions runner would interpret as a workflow command (`::command::` at the
 * start of a line, or `##[command]` anywhere).
 *
 * @param maxLength - the maximum length in characters; longer text is truncated and ends with `...`. Default: 300
 */
export function sanitize(text: string, maxLength: number = MAX_QUOTED): string {
  const line = text
    .slice(0, maxLength * 4)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]+/gu, " ")
    .replace(/\s+/gu, " ")
    .replace(/:(?=:)/g, ": ")
    .replace(/#(?=#|\[)/g, "# ")
    .trim();
  const fits = line.length <= maxLength && text.length <= maxLength * 4;
  return fits ? line : `${line.slice(0, maxLength).toWellFormed()}...`;
}

/**
 * Returns the characters that `text` becomes inside longer base64-encoded text. For each of the three alignments (RFC
 * 4648 section 4), these are the characters that do not depend on neighboring bytes.
 */
function base64Fragments(text: string, encoding: "base64" | "base64url"): readonly string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2]
    .map((lead) => {
      const encoded = Buffer.concat([Buffer.alloc(lead), bytes]).toString(encoding);
      return encoded.slice(Math.ceil((lead * 8) / 6), Math.floor(((lead + bytes.length) * 8) / 6));
    })
    .filter((fragment) => fragment.length >= MIN_RUN);
}

/** The parts of a JWT that are secret on their own: the signature, with and without the payload. */
const getJwtFragments = (text: string): readonly string[] =>
  /^[\w-]+\.([\w-]+\.([\w-]{8,}))$/.exec(text)?.slice(1) ?? [];

/** The trimmed value; for a multiline value, each trimmed line that is long enough. */
function getLines(secret: string): readonly string[] {
  const lines = secret.toWellFormed().split(/[\r\n]+/);
  return lines.map((line) => line.trim()).filter(({ length }) => length >= (lines.length === 1 ? 1 : MIN_LINE));
}

const formEncode = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);
const toHex = (text: string): string => Buffer.from(text).toString("hex");

/**
 * Returns the values to mask, longest first: the trimmed value; its hex, base64url, and form encodings; and the
 * signature of a JWT. GitHub's runner derives other forms of each mask (base64, JSON, URI, XML, quotes; see
 * `HostContext.cs` in actions/runner).
 *
 * @param withBase64 - adds base64 at its three alignments, which the act, Forgejo, and Gitea runners do not derive
 */
export function getMasks(secret: string, { withBase64 = false } = {}): readonly string[] {
  const masks = getLines(secret).flatMap((text) => [
    text,
    ...getJwtFragments(text),
    formEncode(text),
    toHex(text),
    toHex(text).toUpperCase(),
    ...base64Fragments(text, "base64url"),
    ...(withBase64 ? base64Fragments(text, "base64") : []),
  ]);
  return [...new Set(masks)].sort((a, b) => b.length - a.length);
}

/** Converts ASCII letters to lowercase. Unlike `toLowerCase`, never changes the length of the text. */
const toAsciiLowerCase = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** All forms of a secret that are replaced in messages. */
const getVariants = (secret: string): readonly string[] =>
  [
    ...getMasks(secret, { withBase64: true }),
    ...getLines(secret).flatMap((text) => [encodeURIComponent(text), JSON.stringify(text).slice(1, -1)]),
  ].map(toAsciiLowerCase);

/** Escape sequences of JavaScript, JSON, and HTML for one character, as hex digits or as decimal digits. */
const CHARACTER = /(?:\\x|\\u00|&#x0*)([0-9a-f]{2});?|&#0*(\d{2,3});?|&(?:amp|lt|gt|quot|apos);/gi;

/**
 * Text normalized so that a secret is found even if it is formatted differently: unescaped, percent-decoded, lowercased,
 * letters and digits only.
 */
const normalize = (text: string): string =>
  text
    .replace(CHARACTER, (_, hex?: string, decimal?: string) =>
      String.fromCharCode(hex === undefined ? Number(decimal ?? 0) : Number.parseInt(hex, 16)),
    )
    .replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString())
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "");

/** Hides secrets in messages. Matching ignores the case of ASCII letters. */
export class Redactor {
  readonly #secrets = new Set<string>();
  readonly #variants = new Set<string>();
  /** Normalized forms of the secrets, for external text. */
  readonly #forms: string[] = [];

  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.add(secret);
  }

  /** Hides `secret` in all subsequent messages. */
  add(secret: string): void {
    if (this.#secrets.has(secret)) return;
    this.#secrets.add(secret);
    for (const variant of getVariants(secret)) this.#variants.add(variant);
    this.#forms.push(...getForms(secret));
  }

  /** Replaces every form of a secret with `***`. */
  redact(text: string): string {
    const haystack = toAsciiLowerCase(text);
    const matches: (readonly [start: number, end: number])[] = [];
    for (const variant of this.#variants) {
      for (let at = haystack.indexOf(variant); at !== -1; at = haystack.indexOf(variant, at + 1))
        matches.push([at, at + variant.length]);
    }
    let result = "";
    let position = 0;
    // Overlapping and adjacent matches share one mask.
    for (const [start, end] of matches.sort((a, b) => a[0] - b[0])) {
      if (start > position || position === 0) result += text.slice(position, start) + MASK;
      position = Math.max(position, end);
    }
    return result + text.slice(position);
  }

  /**
   * Formats external text, for example from a server, as part of one line. The whole text is removed if it contains a
   * recognizable part of a secret: plain or in percent, base64, hex, JavaScript, or HTML encoding, regardless of any
   * punctuation in between.
   */
  readonly quote = (text: string, maxLength?: number): string => {
    const input = text.slice(0, MAX_INPUT);
    return this.#containsRun(input) ? REMOVED : this.redact(sanitize(input, maxLength));
  };

  /** Only the substrings of `text`, whose length is limited, are kept in memory. Tokens can be much longer. */
  #containsRun(text: string): boolean {
    const normalized = normalize(text);
    const runs = new Set(getRuns(normalized));
    return this.#forms.some((form) => {
      if (form.length <= MIN_RUN) return normalized.includes(form);
      for (const run of getRuns(form)) if (runs.has(run)) return true;
      return false;
    });
  }
}

/** The plain, hex, and base64 forms of a secret. A substring identifies the secret; a short form is used in full. */
const getForms = (secret: string): readonly string[] =>
  getLines(secret)
    .flatMap((text) => [text, toHex(text), ...base64Fragments(text, "base64")])
    .map(normalize)
    .filter((form) => form !== "");

/** Generates the substrings of length MIN_RUN. */
function* getRuns(text: string): Generator<string, void> {
  for (let at = 0; at + MIN_RUN <= text.length; at++) yield text.slice(at, at + MIN_RUN);
}

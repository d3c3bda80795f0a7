import { printable } from "./printable.ts";
import { bare, readingsOf } from "./readings.ts";
import { secretForms } from "./secrets.ts";

/** Makes a foreign text one line that holds no secret and no workflow command, at most `longest` characters of it. */
export type Quote = (text: string, longest?: number) => string;

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
  /** See {@link Quote}. Hides before, since a cut leaves pieces, and after, since what is taken out may join them. */
  readonly quote: Quote = (text, longest) => this.redact(printable(this.redact(text), longest));

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

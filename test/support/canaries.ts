import { folded, formsOf, piecesOf, readingsOf, SHORTEST_FORM, type SecretForm } from "./secret-forms.ts";

/** What a secret is. A place that means to show one says which sort, and why. */
export type SecretSort = "client secret" | "job secret" | "password" | "token";

/** Sorts that may be seen at a place, each with the reason why. */
export type Shown = Readonly<Partial<Record<SecretSort, string>>>;

/** Texts and bytes by the name of where they stand. */
export type Places = Readonly<Record<string, string | Uint8Array>>;

interface Canary {
  readonly sort: SecretSort;
  /** Which of its sort. */
  readonly n: number;
}

/** THE list: the forms of every secret there has been in this process, by their first characters. */
const known = new Map<string, { readonly form: SecretForm; readonly canary: Canary }[]>();
/** Which four characters some form begins with, so that a text of megabytes is searched in a moment. */
const mayStart = new Uint8Array(1 << 20);
const traceAt = (text: string, at: number): number =>
  (text.charCodeAt(at) ^
    (text.charCodeAt(at + 1) << 5) ^
    (text.charCodeAt(at + 2) << 9) ^
    (text.charCodeAt(at + 3) << 13)) &
  (mayStart.length - 1);
const kept = new Set<string>();
const counts = new Map<SecretSort, number>();

/** What of a token must not be seen: the whole, and what is left when its front is cut off. */
export function tokenCanaries(token: string): readonly string[] {
  const [, payload, signature] = token.split(".");
  const parts = payload === undefined || signature === undefined ? [] : [`${payload}.${signature}`, signature];
  return [token, ...parts].filter((part) => part.length >= SHORTEST_FORM);
}

/** Whether a value is long enough to be searched for. */
export const canBeCanary = (value: string): boolean => value.trim().length >= SHORTEST_FORM;

/** Of fewer different ones are the stand-ins that some tests have for a secret. In characters. */
const FEWEST_DIFFERENT = 6;

/**
 * From now on the secret is searched for in what every process of a test writes. One that innocent text may hold, as
 * it is too short or a row of the same, is passed over.
 */
export function keepSecret(sort: SecretSort, secret: string): void {
  // A token is as good as its signature, and each form of it holds the same form of that.
  const told = sort === "token" ? (tokenCanaries(secret).at(-1) ?? secret) : secret;
  if (kept.has(told) || !canBeCanary(told) || new Set(told).size < FEWEST_DIFFERENT) return;
  const n = counts.get(sort) ?? 0;
  counts.set(sort, n + 1);
  const canary = { sort, n };
  kept.add(told);
  for (const form of [...formsOf(told), ...piecesOf(told)]) {
    const start = form.text.slice(0, SHORTEST_FORM);
    known.set(start, [...(known.get(start) ?? []), { form, canary }]);
    mayStart[traceAt(start, 0)] = 1;
  }
}

/** Bytes as a text of as many characters: UTF-8 reads as its Latin-1 form does, UTF-16 as letters between NULs. */
const textOf = (place: string | Uint8Array): string =>
  typeof place === "string" ? place : Buffer.from(place.buffer, place.byteOffset, place.byteLength).toString("latin1");

/** A canary in a text, or none. */
function findIn(text: string, shown: Shown): { readonly form: SecretForm; readonly canary: Canary } | undefined {
  for (let at = 0; at + SHORTEST_FORM <= text.length; at++) {
    if (mayStart[traceAt(text, at)] === 0) continue;
    const found = known
      .get(text.slice(at, at + SHORTEST_FORM))
      ?.find(({ form, canary }) => !(canary.sort in shown) && text.startsWith(form.text, at));
    if (found) return found;
  }
  return undefined;
}

/**
 * Looks for every secret that there has been in this process.
 *
 * @throws Error that names place, sort and form, and never shows the secret
 */
export function assertNoSecret(places: Places, shown: Shown = {}): void {
  for (const [place, content] of Object.entries(places)) {
    for (const reading of readingsOf(textOf(content))) {
      const found = findIn(folded(reading), shown);
      if (found) throw leak(`${found.canary.sort} ${found.canary.n}`, found.form, place);
    }
  }
}

/**
 * As {@link assertNoSecret}, for secrets of one place alone.
 *
 * @param canaries - at least 8 characters each
 */
export function assertNoCanary(canaries: readonly string[], places: Places): void {
  const texts = Object.entries(places).flatMap(([place, content]) =>
    readingsOf(textOf(content)).map((reading) => [place, folded(reading)] as const),
  );
  for (const [which, canary] of canaries.entries()) {
    if (!canBeCanary(canary)) throw new Error(`Canary ${which} is too short to be searched for.`);
    for (const form of formsOf(canary)) {
      const found = texts.find(([, text]) => text.includes(form.text));
      if (found) throw leak(`canary ${which}`, form, found[0]);
    }
  }
}

const leak = (which: string, form: SecretForm, place: string): Error =>
  new Error(`A secret leaked: ${which}, as ${form.name}, in ${place}.`);

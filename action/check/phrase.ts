import type { Quote } from "../../shared/report/redactor.ts";

/** A piece of a phrase: words of ours, or a text that may come from anywhere. */
interface Piece {
  readonly foreign: boolean;
  readonly text: string;
}

/** A line of what the check found, its words of ours told apart from what servers, certificates and settings say. */
export type Phrase = readonly Piece[];

/**
 * A phrase from a template. Strings put into it are foreign; numbers and other phrases are ours.
 *
 * @example
 * ```ts
 * phrase`${2} addresses of ${host}`;
 * ```
 */
export function phrase(words: TemplateStringsArray, ...values: readonly (string | number | Phrase)[]): Phrase {
  return words.flatMap((text, at): Phrase => {
    const value = values[at];
    const inserted: Phrase =
      typeof value === "string"
        ? [{ foreign: true, text: value }]
        : typeof value === "number"
          ? ours(String(value))
          : (value ?? []);
    return [...ours(text), ...inserted];
  });
}

/** Words of ours, which hold nothing from outside. */
export const ours = (text: string): Phrase => (text === "" ? [] : [{ foreign: false, text }]);

/** Words of ours in which addresses stand, as they do in hints: those are shown as foreign text is, and make no links. */
export const oursWithAddresses = (text: string): Phrase =>
  text.split(ADDRESS).flatMap((part, at) => (at % 2 === 0 ? ours(part) : [{ foreign: true, text: part }]));

const ADDRESS = /([^\s(]*(?::\/\/|@)[^\s)]*[^\s).,;:])/;

/** Phrases one after another, with words of ours between them. */
export const joined = (phrases: readonly Phrase[], between: string): Phrase =>
  phrases.flatMap((one, at) => (at === 0 ? one : [...ours(between), ...one]));

/** The phrase as one line of a log. */
export const toText = (pieces: Phrase, quote: Quote): string =>
  pieces.map(({ foreign, text }) => (foreign ? quote(text) : text)).join("");

/**
 * The phrase as a cell of a table in GitHub Flavored Markdown. Foreign text stands in code spans: there alone neither
 * Markdown, nor HTML, nor GitHub's own marks (mentions, references, links, mathematics) mean anything.
 */
export const toCell = (pieces: Phrase, quote: Quote): string =>
  pieces.map(({ foreign, text }) => (foreign ? codeSpan(quote(text)) : escaped(text))).join("");

/**
 * What could end the span or the cell is shown as its look-alike: in a table even a code span is cut at a pipe, and how
 * one is escaped there differs between renderers.
 */
const codeSpan = (text: string): string =>
  text === "" ? "(empty)" : `\`${text.replaceAll("`", "´").replaceAll("|", "¦")}\``;

/** Words of ours with every mark of Markdown taken literally (CommonMark, "Backslash escapes"). */
const escaped = (text: string): string => text.replace(/[\\`*_[\]<>|~&$#@!]|:(?=\/\/)/g, "\\$&");

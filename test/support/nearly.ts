import * as fc from "./fuzzing.ts";
import { foreignText } from "./texts.ts";

/**
 * What is nearly right: a good text or a good JSON object with a few things wrong, and sometimes with none. It gets past
 * the first check of its reader, which random text never does.
 */

/** Characters that mean something in base64url, JSON, PEM, HTTP or a scope. */
const MARKS = [
  ..." \t\r\n\0.,:;=-_+/\\\"'{}[]()#%&?@*0123456789AZaz", "\r\n", "\r\n\r\n", "é", "\u0085", "\u2028", "\ufeff", "\ud800", "😀",
]; // prettier-ignore

/** One edit of a text, wherever it may be: so many characters taken out, others put in, or a piece of it said again. */
interface Edit {
  readonly at: number;
  /** Where a part of the text ends: before a dot, a space, a quotation mark. */
  readonly atAnEnd: boolean;
  readonly lost: number;
  readonly put: string;
  readonly again: boolean;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(),
  atAnEnd: fc.boolean(),
  lost: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.nat(2) },
    { weight: 1, arbitrary: fc.nat(200) },
  ),
  put: fc.oneof({ weight: 4, arbitrary: fc.constantFrom("", ...MARKS) }, { weight: 1, arbitrary: foreignText }),
  again: fc.nat(9).map((n) => n === 0),
});

function edited(text: string, edits: readonly Edit[]): string {
  return edits.reduce((before, { at: anywhere, atAnEnd, lost, put, again }) => {
    const ends = atAnEnd ? [...before.matchAll(/[^\w-]|$/g)].map(({ index }) => index) : [];
    const at = ends[anywhere % ends.length] ?? anywhere % (before.length + 1);
    const end = again ? at : at + lost;
    return before.slice(0, at) + put + (again ? before.slice(at, at + lost) : "") + before.slice(end);
  }, text);
}

/** A text with up to `most` edits; as it was in a fifth of the cases or more. */
export const nearlyText = (text: string | fc.Arbitrary<string>, most = 3): fc.Arbitrary<string> =>
  fc
    .tuple(
      typeof text === "string" ? fc.constant(text) : text,
      fc.oneof(
        { weight: 1, arbitrary: fc.constant([]) },
        { weight: 4, arbitrary: fc.array(edit, { maxLength: most }) },
      ),
    )
    .map(([good, edits]) => edited(good, edits));

/** A field of a JSON object, its value as it is written. */
type Entry = readonly [name: string, json: string];

/** What may be wrong with one field. `other` is what stands in another one, or what nobody expects. */
type Wrong = (entry: Entry, other: string) => readonly Entry[];

const bare = (json: string): string => json.replace(/^"(.*)"$/, "$1");
const anotherValue: Wrong = ([name], other) => [[name, other]];
const wrongs: fc.Arbitrary<Wrong> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(anotherValue) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Wrong>(
      // It is lost.
      () => [],
      // It stands there twice, the right one last or first.
      ([name, json], other) => [[name, other], [name, json]],
      ([name, json], other) => [[name, json], [name, other]],
      // It is in a list, alone or with another, or in an object.
      ([name, json]) => [[name, `[${json}]`]],
      ([name, json], other) => [[name, `[${json},${other}]`]],
      ([name, json]) => [[name, `{"value":${json}}`]],
      // It is written as text, or as a number.
      ([name, json]) => [[name, JSON.stringify(bare(json))]],
      ([name, json]) => [[name, String(Number(bare(json)) || 0)]],
      // It is in the other case, or its name is.
      ([name, json]) => [[name, JSON.stringify(bare(json).toUpperCase())]],
      ([name, json]) => [[name.toUpperCase(), json]],
      // There is white space around it, or padding behind it.
      ([name, json]) => [[name, JSON.stringify(` ${bare(json)}\n`)]],
      ([name, json]) => [[name, JSON.stringify(`${bare(json)}===`)]],
      // Something stands beside it: of its name nearly, or where objects keep what they inherit.
      ([name, json], other) => [[name, json], [`${name}_`, other]],
      ([name, json], other) => [[name, json], ["__proto__", other]],
    ),
  },
); // prettier-ignore

const unexpected = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...["null", "true", "false", "0", "-0", "-1", "1", "0.5", "1e3", "1e308", "1e999", "253402300800"],
      ...['""', '" "', '"0"', '"null"', '"\\u0000"', '"\\ud800"', "[]", "{}", "[[]]", "[null]", '{"__proto__":null}'],
    ),
  },
  { weight: 1, arbitrary: fc.json({ maxDepth: 2 }) },
  { weight: 1, arbitrary: foreignText.map((text) => JSON.stringify(text)) },
);

/**
 * A JSON object as text, up to three of its fields wrong; as it was in a fifth of the cases or more.
 *
 * @param good - fields that are undefined are not there as long as nothing is wrong
 * @param others - values that may come to stand in any of the fields
 */
export function nearlyJson(good: object, others: readonly unknown[] = []): fc.Arbitrary<string> {
  const fields = Object.entries(good);
  const known = [...fields.map(([, value]: [string, unknown]) => value), ...others].filter(
    (value) => value !== undefined,
  );
  const wrong = fc.record({
    at: fc.nat(fields.length - 1),
    how: wrongs,
    other: fc.oneof(
      { weight: 1, arbitrary: unexpected },
      { weight: 2, arbitrary: fc.constantFrom(...known).map((value) => JSON.stringify(value)) },
    ),
  });
  const allWrongs = fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 4, arbitrary: fc.array(wrong, { minLength: 1, maxLength: 3 }) },
  );
  return allWrongs.map((all) => {
    const written = fields.flatMap(([name, value]: [string, unknown], n) => {
      const here = all.filter(({ at }) => at === n);
      const before: readonly Entry[] =
        value !== undefined ? [[name, JSON.stringify(value)]] : here.length > 0 ? [[name, "null"]] : [];
      return here.reduce((entries, { how, other }) => entries.flatMap((entry) => how(entry, other)), before);
    });
    return `{${written.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`;
  });
}

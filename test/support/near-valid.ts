import { fc } from "./fuzzing.ts";
import { foreignText } from "./texts.ts";

/**
 * Near-valid input is a valid text or JSON object with few or no errors. Unlike random text, it passes a parser's first
 * checks.
 */

/** Characters that have a meaning in base64url, JSON, PEM, HTTP, or scopes, and characters that often cause errors. */
const MARKS = [
  ..." \t\r\n\0.,:;=-_+/\\\"'{}[]()#%&?@*0123456789AZaz", "\r\n", "\r\n\r\n", "é", "\u0085", "\u2028", "\ufeff", "\ud800", "😀",
]; // prettier-ignore

/** An edit that removes, inserts, or repeats characters of a text. */
interface Edit {
  readonly position: number;
  /** Whether the edit is at the end of a part of the text, for example before a dot, a space, or a quotation mark. */
  readonly atPartEnd: boolean;
  readonly count: number;
  readonly insert: string;
  readonly repeat: boolean;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  position: fc.nat(),
  atPartEnd: fc.boolean(),
  count: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.nat(2) },
    { weight: 1, arbitrary: fc.nat(200) },
  ),
  insert: fc.oneof({ weight: 4, arbitrary: fc.constantFrom("", ...MARKS) }, { weight: 1, arbitrary: foreignText }),
  repeat: fc.nat(9).map((n) => n === 0),
});

function applyEdits(text: string, edits: readonly Edit[]): string {
  return edits.reduce((before, { position, atPartEnd, count, insert, repeat }) => {
    const ends = atPartEnd ? [...before.matchAll(/[^\w-]|$/g)].map(({ index }) => index) : [];
    const at = ends[position % ends.length] ?? position % (before.length + 1);
    const end = repeat ? at : at + count;
    return before.slice(0, at) + insert + (repeat ? before.slice(at, at + count) : "") + before.slice(end);
  }, text);
}

/** Generates a text with up to `maxEdits` edits. In at least a fifth of cases, the text is unchanged. */
export const nearValidText = (text: string | fc.Arbitrary<string>, maxEdits = 3): fc.Arbitrary<string> =>
  fc
    .tuple(
      typeof text === "string" ? fc.constant(text) : text,
      fc.oneof(
        { weight: 1, arbitrary: fc.constant([]) },
        { weight: 4, arbitrary: fc.array(edit, { maxLength: maxEdits }) },
      ),
    )
    .map(([valid, edits]) => applyEdits(valid, edits));

/** A member of a JSON object, with its serialized value. */
type Member = readonly [name: string, json: string];

/** Makes one member invalid. `other` is the value of another member or an unexpected value. */
type Change = (member: Member, other: string) => readonly Member[];

const unquote = (json: string): string => json.replace(/^"(.*)"$/, "$1");
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Change>(([name], other) => [[name, other]]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Change>(
      // Remove the member.
      () => [],
      // Duplicate it.
      ([name, json], other) => [[name, other], [name, json]],
      ([name, json], other) => [[name, json], [name, other]],
      // Wrap its value in an array or an object.
      ([name, json]) => [[name, `[${json}]`]],
      ([name, json], other) => [[name, `[${json},${other}]`]],
      ([name, json]) => [[name, `{"value":${json}}`]],
      // Convert its value to a string or a number.
      ([name, json]) => [[name, JSON.stringify(unquote(json))]],
      ([name, json]) => [[name, String(Number(unquote(json)) || 0)]],
      // Convert its value or its name to uppercase.
      ([name, json]) => [[name, JSON.stringify(unquote(json).toUpperCase())]],
      ([name, json]) => [[name.toUpperCase(), json]],
      // Add whitespace or padding to its value.
      ([name, json]) => [[name, JSON.stringify(` ${unquote(json)}\n`)]],
      ([name, json]) => [[name, JSON.stringify(`${unquote(json)}===`)]],
      // Add a member with a similar name or with the name of an inherited property.
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
 * Generates a serialized JSON object with up to three invalid members. In at least a fifth of cases, it is unchanged.
 *
 * @param valid - the valid object; undefined members are omitted unless they are changed
 * @param others - additional values that may replace the value of any member
 */
export function nearValidJson(valid: object, others: readonly unknown[] = []): fc.Arbitrary<string> {
  const members: readonly (readonly [string, unknown])[] = Object.entries(valid);
  const values = [...members.map(([, value]) => value), ...others].filter((value) => value !== undefined);
  const oneChange = fc.record({
    index: fc.nat(members.length - 1),
    change,
    other: fc.oneof(
      { weight: 1, arbitrary: unexpected },
      { weight: 2, arbitrary: fc.constantFrom(...values).map((value) => JSON.stringify(value)) },
    ),
  });
  const changes = fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 4, arbitrary: fc.array(oneChange, { minLength: 1, maxLength: 3 }) },
  );
  return changes.map((all) => {
    const written = members.flatMap(([name, value], n) => {
      const here = all.filter(({ index }) => index === n);
      const before: readonly Member[] =
        value !== undefined ? [[name, JSON.stringify(value)]] : here.length > 0 ? [[name, "null"]] : [];
      return here.reduce((result, one) => result.flatMap((member) => one.change(member, one.other)), before);
    });
    return `{${written.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`;
  });
}

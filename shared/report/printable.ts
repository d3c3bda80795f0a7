/** How much of a foreign text one message shows, in characters. */
const LONGEST = 300;

/**
 * Text from outside made fit for one line of a log: control characters, line and paragraph separators and
 * characters that reorder text become spaces, and nothing in it is a workflow command of the Actions runner,
 * which obeys `::command::` at the start of a line and `##[command]` anywhere in it.
 *
 * @param longest - characters kept; a longer text ends in `...`
 */
export function printable(text: string, longest: number = LONGEST): string {
  // Cut first: what comes from outside may be a megabyte.
  const line = text
    .slice(0, longest * 4)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]+/gu, " ")
    .replace(/\s+/gu, " ")
    .replace(/:(?=:)/g, ": ")
    .replace(/#(?=#|\[)/g, "# ")
    .trim();
  const whole = line.length <= longest && text.length <= longest * 4;
  return whole ? line : `${line.slice(0, longest).toWellFormed()}...`;
}

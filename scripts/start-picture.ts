import { drawTerminal, type TerminalLine } from "./terminal-picture.ts";

/**
 * The blocks of `npm start`'s page that the picture shows, by something in each. Blocks are what empty lines part; they
 * come in this order.
 */
const SHOWN = [
  /^scm-auth at work/,
  /^2\. A workflow step signs in/,
  /Signed in: /,
  /^3\. Later steps/,
  /access-token: /,
  /^4\. The same with a wrong secret/,
  /Error: /,
  /^5\. An auth file/,
  /^The step has ended/,
  /with the token of then/,
];

/** What is printed into a pipe is so wide. */
const COLUMNS = 80;

const LEFT_OUT: TerminalLine = { text: "…", look: "faint" };

/** Lines as a terminal shows them: title and headings in bold type. */
const styled = (block: string): readonly TerminalLine[] =>
  block.split("\n").map((text) => (/^(\d+\. |scm-auth at work)/.test(text) ? { text, look: "bold" } : { text }));

/**
 * The lines of the picture: the blocks in `SHOWN`, and a sign where others were left out.
 *
 * @param output - all that `npm start`'s script printed into a pipe
 * @throws when a block is missing
 */
function excerpt(output: string): readonly TerminalLine[] {
  const blocks = output.trim().split("\n\n");
  const places = SHOWN.map((sign) => blocks.findIndex((block) => sign.test(block)));
  const missing = SHOWN.find((_sign, n) => (places[n] ?? -1) <= (places[n - 1] ?? -1));
  if (missing) throw new Error(`npm start no longer prints, in this order: ${String(missing)}`);
  const shown = places.flatMap((place, n) => {
    const isNext = place === (places[n - 1] ?? -1) + 1;
    // npm's own lines come before the first.
    return [isNext && n > 0 ? { text: "" } : LEFT_OUT, ...styled(blocks[place] ?? "")];
  });
  return [{ text: "$ npm start", look: "bold" }, ...shown, LEFT_OUT];
}

/**
 * docs/npm-start.svg: what a newcomer sees.
 *
 * @param output - all that `npm start`'s script printed into a pipe
 * @throws when that is no longer what the picture is made of
 */
export const drawStart = (output: string): string =>
  drawTerminal(
    "npm start",
    "A terminal in which npm start shows the action's log, its outputs, a failure with its hint, and a token renewed.",
    excerpt(output),
    COLUMNS,
  );

/** What differs from run to run, and from version to version. */
const PASSING = [/\(\d+ characters\)/g, /\d{4}-\d\d-\d\dT[\d:]+Z/g, /good for [^,]+,/g, /scm-auth \d+\.\d+\.\d+/g];

/** The picture without what differs from run to run, so that two can be compared. */
export const lasting = (picture: string): string =>
  PASSING.reduce((text, passing) => text.replace(passing, "…"), picture);

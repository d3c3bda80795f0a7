import { styleText } from "node:util";

/** Where a page is written: a terminal, a pipe or a file. */
export type PageStream = Pick<NodeJS.WriteStream, "write"> & Partial<Pick<NodeJS.WriteStream, "isTTY" | "columns">>;

/** Text laid out for people, plain where the reader can't show more. */
export interface Page {
  readonly title: (text: string) => void;
  /** A numbered heading. */
  readonly step: (heading: string) => void;
  /** Prose, wrapped. */
  readonly say: (text: string) => void;
  /** What a machine said or reads, set apart, each line wrapped on its own. */
  readonly show: (lines: readonly string[]) => void;
}

const WIDTH_OF_A_PIPE = 80;
const WIDEST = 96;
const NARROWEST = 24;

/** A page on `stream`. Bold type and colour only where the stream shows them and NO_COLOR does not forbid it. */
export function makePage(stream: PageStream): Page {
  const width = Math.max(NARROWEST, Math.min(stream.columns ?? WIDTH_OF_A_PIPE, WIDEST));
  // A stream of another kind is taken for one without colours.
  const style = (format: "bold" | "dim", text: string): string =>
    stream.isTTY === true ? styleText(format, text, { stream: stream as NodeJS.WriteStream }) : text;
  let steps = 0;
  let last: "nothing" | "heading" | "prose" | "shown" = "nothing";
  /** Blocks stand apart by an empty line; prose follows prose or its heading at once. */
  const write = (kind: typeof last, lines: readonly string[]): void => {
    const together = last === "nothing" || (kind === "prose" && last !== "shown");
    stream.write(`${together ? "" : "\n"}${lines.join("\n")}\n`);
    last = kind;
  };
  const heading = (text: string): void => {
    const lines = wrap(text, width).map((line) => style("bold", line));
    write("heading", lines);
  };
  return {
    title: heading,
    step: (text) => {
      steps += 1;
      heading(`${steps}. ${text}`);
    },
    say: (text) => {
      write("prose", wrap(text, width));
    },
    show: (lines) => {
      const bar = style("dim", "|");
      const shown = lines.flatMap((line) => wrap(line, width - 4)).map((line) => `  ${bar} ${line}`.trimEnd());
      write("shown", shown);
    },
  };
}

/**
 * `text` in lines of at most `width` characters, broken at spaces. Further lines keep the first one's indentation;
 * a word that is longer than a line stays whole.
 */
export function wrap(text: string, width: number): readonly string[] {
  const indentation = /^ */.exec(text)?.[0] ?? "";
  const lines: string[] = [];
  let line = indentation;
  for (const word of text.trim().split(" ")) {
    if (line.length > indentation.length && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indentation;
    }
    line += line.length > indentation.length ? ` ${word}` : word;
  }
  return [...lines, line];
}

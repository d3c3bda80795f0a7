import { styleText } from "node:util";

/** Writes the sections of the demo to stdout, wrapped to the width of the terminal. */
export interface Terminal {
  /** A numbered heading. */
  readonly heading: (text: string) => void;
  readonly text: (text: string) => void;
  /** Quoted output, each line wrapped on its own. */
  readonly quote: (lines: readonly string[]) => void;
}

const DEFAULT_WIDTH = 80;
const MAX_WIDTH = 96;
const MIN_WIDTH = 24;

export function createTerminal(stream: NodeJS.WriteStream): Terminal {
  const width = Math.max(MIN_WIDTH, Math.min(stream.isTTY ? stream.columns : DEFAULT_WIDTH, MAX_WIDTH));
  const style = (format: "bold" | "dim", text: string): string => styleText(format, text, { stream });
  let headings = 0;
  const write = (lines: readonly string[]): void => {
    stream.write(`${lines.join("\n")}\n`);
  };
  return {
    heading: (text) => {
      headings += 1;
      write(["", ...wrap(`${headings}. ${text}`, width).map((line) => style("bold", line))]);
    },
    text: (text) => {
      write(wrap(text, width));
    },
    quote: (lines) => {
      const bar = style("dim", "|");
      write(["", ...lines.flatMap((line) => wrap(line, width - 4)).map((line) => `  ${bar} ${line}`.trimEnd()), ""]);
    },
  };
}

/** Breaks at spaces and keeps the indentation of the first line. Words that are longer than a line stay whole. */
function wrap(text: string, width: number): readonly string[] {
  const indentation = /^ */.exec(text)?.[0] ?? "";
  const lines: string[] = [];
  let line = indentation;
  for (const word of text.trim().split(" ")) {
    const isEmpty = line.length === indentation.length;
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indentation + word;
    } else line += isEmpty ? word : ` ${word}`;
  }
  return [...lines, line];
}

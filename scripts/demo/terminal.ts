import { styleText } from "node:util";

/** Writes the demo's sections to stdout, wrapped to the terminal width. */
export interface Terminal {
  /** Writes a numbered heading. */
  readonly heading: (text: string) => void;
  readonly text: (text: string) => void;
  /** Writes quoted output and wraps each line separately. */
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

/** Breaks a line at spaces and keeps its indentation. Words longer than a line are not broken. */
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

/** A line of a terminal. */
export interface TerminalLine {
  readonly text: string;
  /** `bold` as a heading, `faint` as what is left out. Default: as it is. */
  readonly look?: "bold" | "faint";
}

/** Of a row and of a character, in the picture's units. Monospaced fonts are 0.55 to 0.62 of their size wide. */
const [ROW, CHARACTER, SIZE] = [20, 8.7, 14];
/** Room beside the text, and above it, where the window has its bar. */
const [SIDE, TOP] = [18, 58];

/** One look for light and dark pages alike: a terminal is dark, and its edge is seen on both. */
const STYLE = [
  `text{font:${SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;fill:#d1d7e0;white-space:pre}`,
  ".bold{font-weight:700;fill:#f0f6fc}.faint,.bar{fill:#8b949e}.name{text-anchor:middle;fill:#8b949e}",
  ".window{fill:#0d1117;stroke:#57606a}.top{fill:#161b22}circle{fill:#57606a}",
].join("");

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** The bar with which `npm start` sets apart what machines say is paler than its text, in a terminal as well. */
const marked = (text: string): string => escaped(text).replace(/^ {2}\|/, '  <tspan class="bar">|</tspan>');

/**
 * A terminal window as a still SVG that reads nothing from elsewhere: it is shown as an image, where scripts and
 * foreign fonts do not run.
 *
 * @param title - above the window, and for who can't see the picture
 * @param description - what is to be seen in it
 * @param columns - as wide as the longest line may be
 */
export function drawTerminal(
  title: string,
  description: string,
  lines: readonly TerminalLine[],
  columns: number,
): string {
  const width = Math.ceil(columns * CHARACTER) + 2 * SIDE;
  const height = TOP + lines.length * ROW + 4;
  const rows = lines.flatMap(({ text, look }, n) =>
    text === ""
      ? []
      : [`<text${look ? ` class="${look}"` : ""} x="${SIDE}" y="${TOP + n * ROW}">${marked(text)}</text>`],
  );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc" xml:space="preserve"><title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="window" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    `<path class="top" d="M1 34V9a8 8 0 0 1 8-8H${width - 9}a8 8 0 0 1 8 8V34Z"/>`,
    ...[20, 38, 56].map((x) => `<circle cx="${x}" cy="18" r="5"/>`),
    `<text class="name" x="${width / 2}" y="23">${escaped(title)}</text>`,
    ...rows,
    "</svg>",
  ].join("\n")}\n`;
}

import type { Milliseconds } from "../../shared/clock.ts";
import { shareAt } from "./figures.ts";
import type { JobRun } from "./simulate.ts";

/** A policy's run. */
export interface Line {
  readonly name: string;
  readonly ours: boolean;
  readonly run: readonly JobRun[];
}

/** One of the charts that stand side by side. */
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** Of the area between the axes, and where the first one begins. */
const [WIDTH, HEIGHT, LEFT, TOP] = [380, 220, 52, 44];
/** From one panel to the next, and from one name of the legend to the next. */
const [STEP, ROW] = [460, 22];
/** What the time axis spans, and how often a line is drawn anew. */
const [SPAN, EVERY]: readonly [Milliseconds, Milliseconds] = [120_000, 2000];

/** Told apart without colours too. Read on white and on black alike; the darker or lighter one is chosen by the style. */
const STROKES = [
  { light: "#8250df", dark: "#b392f0", dash: "2 4" },
  { light: "#bc4c00", dark: "#f0883e", dash: "8 4" },
  { light: "#57606a", dark: "#9aa4ae", dash: "1 0" },
  { light: "#0969da", dark: "#58a6ff", dash: "10 3 2 3" },
] as const;
const OURS = { light: "#1a7f37", dark: "#3fb950" };

/** The style of the line in this place: CSS classes `s0`, `s1` and so on, `ours` for the action. */
const classOf = ({ ours }: Line, place: number): string => (ours ? "ours" : `s${place % STROKES.length}`);

const style = (): string => {
  const colours = (mode: "light" | "dark"): string =>
    [...STROKES.map((stroke, n) => `.s${n}{stroke:${stroke[mode]}}`), `.ours{stroke:${OURS[mode]}}`].join("");
  return [
    // A page of its own: a site can be dark on a machine that is light, and the picture knows the machine alone.
    ".page{fill:#fff}",
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.right{text-anchor:end}",
    ".mid{text-anchor:middle}.axis{stroke:#d0d7de}polyline,.key{fill:none;stroke-width:2}",
    ...STROKES.map(({ dash }, n) => `.s${n}{stroke-dasharray:${dash}}`),
    ".ours.ours{stroke-width:3.5}",
    colours("light"),
    `@media(prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.axis{stroke:#3d444d}${colours("dark")}}`,
  ].join("");
};

const escaped = (text: string): string =>
  text.replaceAll("`", "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Signed-in shares over time; what repeats itself in between is left out. */
function points(run: readonly JobRun[]): string {
  const drawn: string[] = [];
  const heights = Array.from({ length: SPAN / EVERY + 1 }, (_, n) =>
    Math.round(HEIGHT * (1 - shareAt(run, n * EVERY))),
  );
  for (const [n, height] of heights.entries()) {
    if (height === heights[n - 1] && height === heights[n + 1]) continue;
    drawn.push(`${Math.round((WIDTH * n * EVERY) / SPAN)},${height}`);
  }
  return drawn.join(" ");
}

function drawPanel({ title, lines }: Panel, place: number): string {
  const shares = [0, 50, 100].map((share) => {
    const y = HEIGHT * (1 - share / 100);
    return `<path class="axis" d="M0 ${y}H${WIDTH}"/><text class="right" x="-8" y="${y + 4}">${share} %</text>`;
  });
  const times = [0, 30, 60, 90, 120].map(
    (time) => `<text class="mid" x="${(WIDTH * time * 1000) / SPAN}" y="${HEIGHT + 20}">${time} s</text>`,
  );
  const drawn = lines.map((line, n) => `<polyline class="${classOf(line, n)}" points="${points(line.run)}"/>`);
  return [
    `<g transform="translate(${LEFT + place * STEP} ${TOP})"><text class="title" y="-16">${escaped(title)}</text>`,
    ...shares,
    ...times,
    ...drawn,
    "</g>",
  ].join("\n");
}

/**
 * Draws the share of jobs signed in over time, a panel beside the other with the same policies in each, as SVG text
 * for light and dark pages.
 *
 * @param title - what is read out to who does not see it
 */
export function drawChart(title: string, panels: readonly Panel[]): string {
  const [{ lines } = { lines: [] }] = panels;
  const width = LEFT + panels.length * STEP;
  const legendTop = TOP + HEIGHT + 48;
  const legend = lines.map((line, n) => {
    const y = legendTop + n * ROW;
    const key = `<path class="key ${classOf(line, n)}" d="M${LEFT} ${y}h40"/>`;
    return `${key}<text x="${LEFT + 50}" y="${y + 4}">${escaped(line.name)}</text>`;
  });
  const size = `${width} ${legendTop + lines.length * ROW}`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" role="img"><title>${escaped(title)}</title>`,
    `<style>${style()}</style>`,
    `<rect class="page" width="100%" height="100%" rx="8"/>`,
    ...panels.map(drawPanel),
    ...legend,
    "</svg>",
  ].join("\n")}\n`;
}

import type { Milliseconds } from "../../shared/clock.ts";

/** A stretch of time, by the monotonic clock. */
export interface Span {
  readonly start: Milliseconds;
  readonly end: Milliseconds;
}

/** A bar has as many characters: as wide as a table on GitHub leaves room for. */
const WIDTH = 24;

/** The stretch from the first beginning to the last end; undefined of none. */
export const wholeOf = (spans: readonly Span[]): Span | undefined =>
  spans.length === 0
    ? undefined
    : { start: Math.min(...spans.map(({ start }) => start)), end: Math.max(...spans.map(({ end }) => end)) };

/** A bar of a time line on which nothing took place. */
export const EMPTY_BAR = "░".repeat(WIDTH);

/**
 * A bar that shows where on the line of `whole` a stretch lies, and how long it is: `░░░███░░░`. However short, it
 * is seen.
 */
export function bar({ start, end }: Span, whole: Span): string {
  const unit = (whole.end - whole.start) / WIDTH || 1;
  const from = Math.min(WIDTH - 1, Math.max(0, Math.round((start - whole.start) / unit)));
  const to = Math.min(WIDTH, Math.max(from + 1, Math.round((end - whole.start) / unit)));
  return "░".repeat(from) + "█".repeat(to - from) + "░".repeat(WIDTH - to);
}

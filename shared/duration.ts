import type { Milliseconds } from "./clock.ts";

const UNITS: readonly (readonly [length: Milliseconds, name: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
];

/** Formats a duration in its two largest units: "2 h 3 min", "45 s", "0.3 s". Negative durations become "0 s". */
export function formatDuration(duration: Milliseconds): string {
  if (duration < 10_000) return `${Math.max(0, Math.round(duration / 100) / 10)} s`;
  let rest = Math.round(duration / 1000) * 1000;
  const parts: string[] = [];
  for (const [length, name] of UNITS) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(" ");
}

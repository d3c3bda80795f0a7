import type { Milliseconds } from "../clock.ts";

const UNITS: readonly (readonly [length: Milliseconds, name: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
];

/** A length of time as people say it, by its two largest units: "2 h 3 min", "45 s", "0.3 s". Negative is 0. */
export function timeSpan(time: Milliseconds): string {
  if (time < 10_000) return `${Math.max(0, Math.round(time / 100) / 10)} s`;
  let rest = Math.round(time / 1000) * 1000;
  const told: string[] = [];
  for (const [length, name] of UNITS) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) told.push(`${count} ${name}`);
    else if (told.length > 0) break;
  }
  return told.slice(0, 2).join(" ");
}

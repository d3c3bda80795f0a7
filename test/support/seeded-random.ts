import type { RandomSource } from "../../shared/clock.ts";

/** Generates the same random numbers in every run: a Weyl sequence that is mixed as in splitmix32. */
export function createSeededRandom(seed: number): RandomSource {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

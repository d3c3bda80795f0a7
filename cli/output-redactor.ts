import { Transform, type TransformCallback } from "node:stream";
import type { Milliseconds } from "../shared/clock.ts";

/** The longest time for which the possible beginning of a secret is held back. */
const MAX_HOLD: Milliseconds = 100;
const MASK = Buffer.from("***");

/** The secrets that an {@link OutputRedactor} replaces. Secrets can be added at any time. */
export class SecretSet {
  /** Each secret, and the parts of a JWT that are secret on their own, longest first. */
  #patterns: readonly Buffer[] = [];
  #longest = 0;

  /** Adds a secret. A JWT is also recognized by its signature, with and without the payload. */
  add(secret: string): void {
    const [, payload = "", signature = ""] = secret.split(".");
    const parts = signature === "" ? [secret] : [secret, `${payload}.${signature}`, signature];
    const added = parts.map((part) => Buffer.from(part));
    this.#patterns = [...this.#patterns, ...added].sort((a, b) => b.length - a.length);
    this.#longest = this.#patterns[0]?.length ?? 0;
  }

  /** Returns the first secret in `data`, at or after `from`; the longest of several at the same place. */
  find(data: Buffer, from: number): { readonly start: number; readonly end: number } | undefined {
    let found: { readonly start: number; readonly end: number } | undefined;
    for (const pattern of this.#patterns) {
      const start = data.indexOf(pattern, from);
      if (start !== -1 && (found === undefined || start < found.start)) found = { start, end: start + pattern.length };
    }
    return found;
  }

  /** Returns where the possible beginning of a secret at the end of `data` starts: `data.length` if there is none. */
  findPartial(data: Buffer, from: number): number {
    const tail = Math.max(from, data.length - this.#longest + 1);
    let earliest = data.length;
    for (const pattern of this.#patterns) {
      const first = pattern[0] ?? 0;
      for (let at = data.indexOf(first, tail); at !== -1 && at < earliest; at = data.indexOf(first, at + 1)) {
        const length = data.length - at;
        if (length < pattern.length && pattern.compare(data, at, data.length, 0, length) === 0) earliest = at;
      }
    }
    return earliest;
  }
}

/**
 * Replaces secrets in a stream of bytes with `***`, across the borders of chunks. Everything else passes unchanged and
 * at once. Only what may be the beginning of a secret is held back, and not longer than 100 ms.
 */
export class OutputRedactor extends Transform {
  readonly #secrets: SecretSet;
  #held: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;

  constructor(secrets: SecretSet) {
    super();
    this.#secrets = secrets;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    clearTimeout(this.#timer);
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let position = 0;
    for (let found = this.#secrets.find(data, 0); found; found = this.#secrets.find(data, position)) {
      this.push(data.subarray(position, found.start));
      this.push(MASK);
      position = found.end;
    }
    const held = this.#secrets.findPartial(data, position);
    if (held > position) this.push(data.subarray(position, held));
    // Copy it, so that the rest of the chunk can be freed.
    this.#held = Buffer.from(data.subarray(held));
    if (this.#held.length > 0)
      this.#timer = setTimeout(() => {
        this.#release();
      }, MAX_HOLD);
    callback();
  }

  override _flush(callback: TransformCallback): void {
    this.#release();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    callback(error);
  }

  #release(): void {
    clearTimeout(this.#timer);
    if (this.#held.length > 0) this.push(this.#held);
    this.#held = Buffer.alloc(0);
  }
}

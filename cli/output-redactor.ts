import type { Milliseconds } from "../shared/clock.ts";

/** The longest time for which the possible beginning of a secret is held back. */
const MAX_HOLD: Milliseconds = 100;
const MASK = Buffer.from("***");

/** The part of a secret that is searched for, and what is also masked if it precedes that part. */
interface Pattern {
  readonly bytes: Buffer;
  /** Longest first. */
  readonly prefixes: readonly Buffer[];
}

interface Match {
  readonly start: number;
  readonly end: number;
}

/** The minimum length in bytes of a secret. Replacing a shorter text would make the output unreadable. */
const MIN_LENGTH = 8;
/** The length in bytes of the samples by which secrets are found. */
const SAMPLE = 4;
const MAX_STRIDE = 32;

/**
 * The secrets that an {@link OutputRedactor} replaces. Secrets can be added at any time.
 *
 * Searching for one secret after the other would become slow during a run of hours, which has many tokens. So only
 * every 32nd position of the data is looked up in a table of all samples that occur in the first 32 positions of a
 * secret.
 */
export class SecretSet {
  readonly #patterns: Pattern[] = [];
  /** The samples of all patterns, and where they occur. */
  #samples = new SampleTable<readonly [pattern: Pattern, offset: number]>();
  /** The first samples of everything that is masked. */
  readonly #starts = new SampleTable<Buffer>();
  readonly #firstBytes: Buffer[] = [];
  readonly #alphabet = new Uint8Array(256);
  #stride = MAX_STRIDE;
  #longest = 0;

  /**
   * Adds a secret. It is ignored if it is shorter than 8 bytes. Only its plain form is replaced. A JWT is also recognized
   * by its signature, with and without the payload, because they are secret on their own.
   */
  add(secret: string): void {
    if (Buffer.byteLength(secret) < MIN_LENGTH) return;
    const [, header = "", payload = "", signature = secret] = /^([^.]+\.)([^.]+\.)([^.]+)$/.exec(secret) ?? [];
    const prefixes = [header + payload, payload].filter((prefix) => prefix !== "");
    const bytes = Buffer.from(signature);
    this.#patterns.push({ bytes, prefixes: prefixes.map((prefix) => Buffer.from(prefix)) });
    for (const start of [...prefixes.map((prefix) => Buffer.from(prefix + signature)), bytes]) {
      this.#starts.add(start, 0, start);
      this.#firstBytes.push(start);
    }
    for (const byte of Buffer.from(secret)) this.#alphabet[byte] = 1;
    this.#longest = Math.max(this.#longest, Buffer.byteLength(secret));
    const stride = Math.min(this.#stride, bytes.length - SAMPLE + 1);
    const isShorter = stride < this.#stride;
    this.#stride = stride;
    if (isShorter) this.#samples = new SampleTable();
    for (const pattern of isShorter ? this.#patterns : this.#patterns.slice(-1))
      for (let offset = 0; offset < stride; offset++) this.#samples.add(pattern.bytes, offset, [pattern, offset]);
  }

  /** Returns the first secret in `data` that starts at or after `from`. */
  find(data: Buffer, from: number): Match | undefined {
    for (let at = from; at + SAMPLE <= data.length; at += this.#stride)
      for (const [{ bytes, prefixes }, offset] of this.#samples.get(data, at)) {
        const start = at - offset;
        if (start < from || !isAt(data, start, bytes)) continue;
        const prefix = prefixes.find((one) => start - one.length >= from && isAt(data, start - one.length, one));
        return { start: start - (prefix?.length ?? 0), end: start + bytes.length };
      }
    return undefined;
  }

  /** Returns where the possible beginning of a secret at the end of `data` starts: `data.length` if there is none. */
  findPartial(data: Buffer, from: number): number {
    let run = data.length;
    const first = Math.max(from, data.length - this.#longest + 1);
    while (run > first && this.#alphabet[data[run - 1] ?? 0] === 1) run--;
    for (let at = run; at < data.length; at++) {
      const length = data.length - at;
      const candidates = length < SAMPLE ? this.#firstBytes : this.#starts.get(data, at);
      for (const bytes of candidates) if (length < bytes.length && isAt(data, at, bytes, length)) return at;
    }
    return data.length;
  }
}

/** Whether the first `length` bytes of `bytes` are in `data` at this position. */
const isAt = (data: Buffer, at: number, bytes: Buffer, length = bytes.length): boolean =>
  // The first comparison is much faster than the call.
  data[at] === bytes[0] && at + length <= data.length && data.compare(bytes, 0, length, at, at + length) === 0;

/** Values by four bytes. */
class SampleTable<Value> {
  readonly #values = new Map<number, Value[]>();
  /** Whether a hash occurs, because almost no sample of the data does. */
  readonly #filter = new Uint8Array(65_536);

  add(bytes: Buffer, at: number, value: Value): void {
    const key = bytes.readInt32LE(at);
    this.#filter[hash(key)] = 1;
    const values = this.#values.get(key);
    if (values) values.push(value);
    else this.#values.set(key, [value]);
  }

  get(bytes: Buffer, at: number): readonly Value[] {
    // readInt32LE checks its arguments, which takes most of the time.
    const key = bytes.readInt32LE(at);
    return this.#filter[hash(key)] === 1 ? (this.#values.get(key) ?? NONE) : NONE;
  }
}

const NONE: readonly never[] = [];

/** Multiplicative hashing: the upper 16 bits of a product with 2^32 / φ. */
const hash = (key: number): number => Math.imul(key, 0x9e3779b1) >>> 16;

/**
 * Replaces secrets in a stream of bytes with `***`, across the borders of chunks. Everything else passes unchanged and
 * at once. Only what may be the beginning of a secret is held back, and not longer than 100 ms.
 */
export class OutputRedactor {
  readonly #secrets: SecretSet;
  readonly #write: (data: Buffer) => void;
  #held: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;

  /** @param write - receives the output; a stream.Transform would need twice the time */
  constructor(secrets: SecretSet, write: (data: Buffer) => void) {
    this.#secrets = secrets;
    this.#write = write;
  }

  write(chunk: Buffer): void {
    clearTimeout(this.#timer);
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let position = 0;
    for (let found = this.#secrets.find(data, 0); found; found = this.#secrets.find(data, position)) {
      if (found.start > position) this.#write(data.subarray(position, found.start));
      this.#write(MASK);
      position = found.end;
    }
    const held = this.#secrets.findPartial(data, position);
    if (held > position) this.#write(data.subarray(position, held));
    // Copy it, so that the rest of the chunk can be freed.
    this.#held = Buffer.from(data.subarray(held));
    if (this.#held.length > 0)
      this.#timer = setTimeout(() => {
        this.flush();
      }, MAX_HOLD);
  }

  /** Writes what is held back. */
  flush(): void {
    clearTimeout(this.#timer);
    if (this.#held.length > 0) this.#write(this.#held);
    this.#held = Buffer.alloc(0);
  }
}

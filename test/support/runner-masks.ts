/** The masks of one job. */
export interface RunnerMasks {
  /** Masks `value` and each of its lines from now on, as the `add-mask` command does. */
  readonly add: (value: string) => void;
  /** Replaces all masked values in `text` with `***`. */
  readonly apply: (text: string) => string;
  /** Returns the values that were added, without their encodings. */
  readonly getValues: () => readonly string[];
}

const XML: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

/** The encodings that the runner masks in addition to each value (actions/runner, HostContext.cs, ValueEncoders.cs). */
const ENCODERS: readonly ((value: string) => string)[] = [
  // Base64 of the value, and of the value without its first byte or first two bytes.
  ...[0, 1, 2].map((start) => (value: string) => {
    const bytes = Buffer.from(value);
    return bytes.subarray(bytes.length > start ? start : 0).toString("base64");
  }),
  (value) => JSON.stringify(value).slice(1, -1),
  (value) => value.replaceAll('"', '\\"'),
  (value) => value.replaceAll("'", "''"),
  (value) => encodeURIComponent(value.toWellFormed()),
  (value) => value.replace(/[&<>"']/g, (character) => XML[character] ?? character),
  (value) => (value.length > 8 && /^".*"$/s.test(value) ? value.slice(1, -1) : ""),
];

/** Creates masks that behave like those of the GitHub Actions runner (actions/runner, SecretMasker.cs). */
export function createRunnerMasks(): RunnerMasks {
  const values = new Set<string>();
  const hidden = new Set<string>();
  const addLine = (value: string): void => {
    if (value === "") return;
    values.add(value);
    for (const text of [value, ...ENCODERS.map((encode) => encode(value))]) if (text !== "") hidden.add(text);
  };
  return {
    add: (value) => {
      addLine(value);
      for (const line of value.split(/[\r\n]/)) addLine(line.trim());
    },
    apply: (text) => replaceAll(hidden, text),
    getValues: () => [...values],
  };
}

/** Replaces overlapping or adjacent matches with a single `***`. */
function replaceAll(hidden: ReadonlySet<string>, text: string): string {
  const matches: (readonly [start: number, end: number])[] = [];
  for (const value of hidden)
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1))
      matches.push([at, at + value.length]);
  matches.sort((a, b) => a[0] - b[0]);
  let result = "";
  let position = -1;
  for (const [start, end] of matches) {
    if (start > position) result += `${text.slice(Math.max(0, position), start)}***`;
    position = Math.max(position, end);
  }
  return result + text.slice(Math.max(0, position));
}

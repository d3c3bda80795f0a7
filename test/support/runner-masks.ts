/** The masks of one job. */
export interface RunnerMasks {
  /** Hides `value` and each of its lines from now on, as the command `add-mask`. */
  readonly add: (value: string) => void;
  /** Replaces everything hidden in `text` with `***`. */
  readonly apply: (text: string) => string;
  /** What was added, without the encodings. */
  readonly getValues: () => readonly string[];
}

const XML: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

/** What the runner hides along with each value (actions/runner, HostContext.cs and ValueEncoders.cs). */
const ENCODERS: readonly ((value: string) => string)[] = [
  // Base64, also without the first one or two bytes.
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

/** Creates masks as the runner of GitHub Actions keeps them (actions/runner, SecretMasker.cs). */
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

/** Matches that overlap or touch become one `***`. */
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

/** Hides what the runner was told to hide. */
export interface RunnerMasks {
  /** Hides `value` and each of its lines from now on, as the `add-mask` command does. */
  readonly add: (value: string) => void;
  /** `text` with all that is hidden replaced by `***`. */
  readonly apply: (text: string) => string;
  /** What was added, without its encodings. */
  readonly values: () => readonly string[];
}

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
const base64From = (start: number) => (value: string) => {
  const bytes = Buffer.from(value);
  return bytes.subarray(bytes.length > start ? start : 0).toString("base64");
};
/** Where PowerShell breaks a command line to colour it: after the first `&+`, else after the last `&`. */
const ampersandBreak = (value: string): number =>
  value.includes("&+") ? value.indexOf("&+") + 2 : value.lastIndexOf("&") + 1;
const atLeastSix = (value: string): string => (value.length >= 6 ? value : "");

const MARKUP: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/**
 * The encodings that the runner hides along with each value: those that its HostContext registers (actions/runner,
 * ValueEncoders.cs). An empty result hides nothing.
 */
const ENCODERS: Readonly<Record<string, (value: string) => string>> = Object.freeze({
  base64: base64From(0),
  base64FromSecondByte: base64From(1),
  base64FromThirdByte: base64From(2),
  commandLine: (value) => value.replaceAll('"', '\\"'),
  expression: (value) => value.replaceAll("'", "''"),
  json: (value) =>
    JSON.stringify(value)
      .slice(1, -1)
      .replace(/[\u0085\u2028\u2029]/g, escapeUnit),
  uriData: (value) =>
    encodeURIComponent(value.toWellFormed()).replace(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
  xml: (value) => value.replace(/[&<>"']/g, (character) => MARKUP[character] ?? character),
  withoutQuotes: (value) => (value.length > 8 && /^".*"$/s.test(value) ? value.slice(1, -1) : ""),
  beforeAmpersand: (value) => (value.includes("&") ? atLeastSix(value.slice(0, ampersandBreak(value))) : ""),
  afterAmpersand: (value) =>
    // PowerShell colours, and so sets apart, the letter that follows `&+`.
    value.includes("&") ? atLeastSix(value.slice(ampersandBreak(value) + (value.includes("&+") ? 1 : 0))) : "",
});

/** Masks as the runner of GitHub Actions keeps them (actions/runner, SecretMasker.cs). */
export function makeRunnerMasks(): RunnerMasks {
  const values = new Set<string>();
  const hidden = new Set<string>();

  const addOne = (value: string): void => {
    if (value === "") return;
    values.add(value);
    hidden.add(value);
    for (const encode of Object.values(ENCODERS)) {
      const encoded = encode(value);
      if (encoded !== "") hidden.add(encoded);
    }
  };

  return {
    add: (value) => {
      addOne(value);
      for (const line of value.split(/[\r\n]/)) addOne(line.trim());
    },
    apply: (text) => replaceAllOf(hidden, text),
    values: () => [...values],
  };
}

/** Matches that overlap or touch become one `***`. */
function replaceAllOf(hidden: ReadonlySet<string>, text: string): string {
  const spans: (readonly [start: number, end: number])[] = [];
  for (const value of hidden) {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) spans.push([at, at + value.length]);
  }
  spans.sort((a, b) => a[0] - b[0]);
  let result = "";
  let done = 0;
  for (const [start, end] of spans) {
    if (start > done || (start === 0 && done === 0)) result += `${text.slice(done, start)}***`;
    done = Math.max(done, end);
  }
  return result + text.slice(done);
}

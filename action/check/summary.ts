import type { Milliseconds } from "../../shared/clock.ts";
import { AuthError } from "../../shared/report/errors.ts";
import type { FieldNames } from "../../shared/report/fields.ts";
import type { Quote } from "../../shared/report/redactor.ts";
import { docs } from "../../shared/version.ts";
import type { Diagnosis, Fact, Failure } from "./diagnosis.ts";
import { ours, oursWithAddresses, toCell, toText, type Phrase } from "./phrase.ts";
import { bar, EMPTY_BAR, wholeOf } from "./time-line.ts";

/** All that a check tells. */
export interface Report {
  readonly diagnosis: Diagnosis;
  readonly facts: readonly Fact[];
  /** What the reader calls the fields of a sign-in. */
  readonly names: FieldNames;
  readonly quote: Quote;
}

/** A reason may quote a server at length; a cell of a table may not. */
const LONGEST_REASON = 600;

const HEAD = ["Step", "Result", "ms", "Time line", "Found"] as const;

interface Row {
  readonly name: string;
  readonly result: string;
  readonly ms: string;
  readonly bar: string;
  readonly found: Phrase;
}

/** Whether the sign-in works, in a few words; of several steps that failed the first. */
export const verdict = ({ failures: [first] }: Diagnosis): string =>
  first === undefined ? "the sign-in works" : `failed at ${first.step}`;

/** The check as lines of Markdown: a heading, one table, and where its rows are explained. */
export function toMarkdown(report: Report): readonly string[] {
  const { diagnosis, quote } = report;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    `## scm-auth check: ${verdict(diagnosis)}`,
    "",
    line(HEAD),
    "| --- | --- | ---: | --- | --- |",
    ...rowsOf(report).map((row) =>
      line([row.name, row.result, row.ms, row.bar === "" ? "" : `\`${row.bar}\``, toCell(row.found, quote)]),
    ),
    "",
    `[What each row means](${docs}/check.md). It holds no secret and no token.`,
    "",
  ];
}

/** The same as lines of a log, which keeps no columns: the bars stand first, each as wide as the other. */
export const toLines = (report: Report): readonly string[] => [
  `Check: ${verdict(report.diagnosis)}.`,
  ...rowsOf(report).map(({ name, result, ms, bar: shown, found }) => {
    const text = toText(found, report.quote);
    if (result === "") return `${name}: ${text}`;
    const time = ms === "" ? "" : `, ${ms} ms`;
    return `${shown === "" ? EMPTY_BAR : shown} ${name}: ${result}${time}${text === "" ? "" : `: ${text}`}`;
  }),
];

function rowsOf({ diagnosis, facts, names, quote }: Report): readonly Row[] {
  const spans = diagnosis.steps.flatMap(({ span }) => span ?? []);
  const whole = wholeOf(spans);
  const steps = diagnosis.steps.map(({ name, outcome, span, found }): Row => ({
    name,
    result: outcome === "failed" ? "FAILED" : outcome,
    ms: span ? milliseconds(span.end - span.start) : "",
    bar: span && whole ? bar(span, whole) : "",
    found,
  }));
  const rest = [...diagnosis.failures.flatMap((failure) => reasons(failure, names, quote)), ...facts];
  return [...steps, ...rest.map(({ name, found }): Row => ({ name, result: "", ms: "", bar: "", found }))];
}

const milliseconds = (time: Milliseconds): string => String(Math.round(time));

function reasons({ step, error }: Failure, names: FieldNames, quote: Quote): readonly Fact[] {
  if (!AuthError.isAuthError(error))
    return [{ name: `Reason (${step})`, found: ours("an unexpected failure, which the log tells") }];
  const shown = { foreign: true, text: quote(error.message, LONGEST_REASON) };
  return [
    { name: `Reason (${step})`, found: [shown] },
    { name: `What to do (${step})`, found: oursWithAddresses(error.hintWith(names)) },
  ];
}

import type { Milliseconds } from "../shared/clock.ts";
import { sanitize } from "../shared/redact.ts";
import { DOCS_URL } from "../shared/version.ts";

/** One row of the report. */
export interface Row {
  readonly name: string;
  /** How a step ended; undefined for what is not a step. */
  readonly result?: "ok" | "FAILED" | "skipped" | "not run" | undefined;
  readonly durationMs?: Milliseconds | undefined;
  /** Text of servers and settings in it is quoted by the redactor. */
  readonly details: string;
}

/** The result of a check. */
export interface CheckReport {
  /** Name of the row that failed; undefined if the sign-in works. */
  readonly failed: string | undefined;
  readonly rows: readonly Row[];
}

/** An error message may quote a server at length. */
const MAX_DETAILS = 600;

/** The result in a few words. */
export const getHeadline = ({ failed }: CheckReport): string =>
  failed === undefined ? "success" : `failed at ${failed}`;

/** The report as lines of a log. */
export const toLines = (report: CheckReport): readonly string[] => [
  `Check: ${getHeadline(report)}.`,
  ...report.rows.map(({ name, result, durationMs, details }) => {
    const outcome =
      result === undefined ? [] : [result + (durationMs === undefined ? "" : ` in ${toMs(durationMs)} ms`)];
    return [name, ...outcome, ...(details === "" ? [] : [sanitize(details, MAX_DETAILS)])].join(": ");
  }),
];

/** The report as lines of GitHub Flavored Markdown: a heading and one table. */
export const toMarkdown = (report: CheckReport): readonly string[] => [
  `## scm-auth check: ${getHeadline(report)}`,
  "",
  "| Step | Result | ms | Details |",
  "| --- | --- | ---: | --- |",
  ...report.rows.map(({ name, result = "", durationMs, details }) => {
    const ms = durationMs === undefined ? "" : toMs(durationMs);
    return `| ${name} | ${result} | ${ms} | ${toCodeSpan(sanitize(details, MAX_DETAILS))} |`;
  }),
  "",
  `[What each row means](${DOCS_URL}/check.md). This summary contains no secrets.`,
  "",
];

const toMs = (duration: Milliseconds): string => String(Math.round(duration));

/**
 * In a code span, Markdown, HTML, mentions, references and links have no effect. A backtick would end the span and a pipe
 * the cell; renderers disagree about how they are escaped there, so that look-alikes replace them.
 */
const toCodeSpan = (text: string): string =>
  text === "" ? "" : `\`${text.replaceAll("`", "´").replaceAll("|", "¦")}\``;

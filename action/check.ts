import { AuthError } from "../shared/errors.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { formatDetails, reportSignIn, toLines, toMs, type SignInReport } from "../shared/sign-in-report.ts";
import type { SignInContext } from "../shared/sign-in.ts";
import { DOCS_URL } from "../shared/version.ts";
import type { Runner } from "./runner.ts";

/**
 * Signs in and reports each step in the log and the job summary. Sets no outputs.
 *
 * @throws the AuthError from the sign-in, after writing the report
 */
export async function runCheck(runner: Runner, context: SignInContext, limits: RequestLimits): Promise<void> {
  const { report, error: failure } = await reportSignIn(context, limits);
  await runner.flush();
  for (const line of toLines(report)) runner.info(line);
  try {
    runner.summary(toMarkdown(report));
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    runner.warning(`${error.message} The result (${report.headline}) is in the log.`);
  }
  if (failure !== undefined) throw failure;
}

/** Formats the report as lines of GitHub Flavored Markdown: a heading and a table. */
const toMarkdown = (report: SignInReport): readonly string[] => [
  `## scm-auth check: ${report.headline}`,
  "",
  "| Step | Result | ms | Details |",
  "| --- | --- | ---: | --- |",
  ...report.rows.map((row) => {
    const { name, result = "", durationMs } = row;
    const ms = durationMs === undefined ? "" : toMs(durationMs);
    return `| ${name} | ${result} | ${ms} | ${toCodeSpan(formatDetails(row))} |`;
  }),
  "",
  `[What each row means](${DOCS_URL}/check.md). This summary contains no secrets.`,
  "",
];

/**
 * Formats text as a code span, in which Markdown, HTML, mentions, references, and links have no effect. A backtick
 * would end the span, and a pipe would end the table cell. Renderers disagree on how to escape them, so they are
 * replaced with look-alikes.
 */
const toCodeSpan = (text: string): string =>
  text === "" ? "" : `\`${text.replaceAll("`", "´").replaceAll("|", "¦")}\``;

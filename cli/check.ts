import type { Environment } from "../shared/environment.ts";
import type { AuthError } from "../shared/errors.ts";
import { formatDetails, reportSignIn, toMs, type SignInReport } from "../shared/sign-in-report.ts";
import type { CommandArguments } from "./arguments.ts";
import { prepareSignIn } from "./sign-in.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Signs in without a cache, and prints a report of all steps. Returns 1 if one of them failed.
 *
 * @throws CommandError or AuthError if the credentials are missing or invalid
 */
export async function check(args: CommandArguments, env: Environment, terminal: Terminal): Promise<number> {
  const { authRequest, context, limits } = await prepareSignIn(args, env, terminal);
  terminal.showProgress(`Signing in as ${authRequest.clientId} ...`);
  const { report, error } = await reportSignIn(context, limits);
  await terminal.print(args.values["json"] === true ? toJson(report, error) : toTable(report, error));
  return error === undefined ? 0 : 1;
}

function toTable({ headline, rows }: SignInReport, error: AuthError | undefined): string {
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const lines = rows.map((row) => {
    const { name, result = "", durationMs } = row;
    const ms = durationMs === undefined ? "" : `${toMs(durationMs)} ms`;
    return `${name.padEnd(width)}${result.padEnd(9)}${ms.padStart(8)}  ${formatDetails(row)}`.trimEnd();
  });
  return [`Check: ${headline}.`, ...lines, ...(error ? [`See ${error.docs}`] : []), ""].join("\n");
}

function toJson({ headline, rows }: SignInReport, error: AuthError | undefined): string {
  const steps = rows.map((row) => {
    const { name, result, durationMs } = row;
    return { name, result, ms: durationMs && Math.round(durationMs), details: formatDetails(row) };
  });
  const outcome = { success: error === undefined, headline, error_code: error?.code, docs: error?.docs };
  return `${JSON.stringify({ ...outcome, rows: steps }, undefined, 2)}\n`;
}

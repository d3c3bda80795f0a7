import { format, resolveConfig } from "prettier";
import { ApiError } from "../../../shared/api-error.ts";
import { AuthError, type AuthErrorCode } from "../../../shared/errors.ts";
import type { ErrorCause } from "./cause.ts";
import { API_CAUSES, ERROR_SECTIONS } from "./sections.ts";

/**
 * Creates docs/troubleshooting.md, to which each error links. Each code has a heading, whose anchor is the code.
 */
export const PAGE = "docs/troubleshooting.md";

const INTRODUCTION = `<!-- Created by \`npm run build\` from shared/hints.ts and scripts/build/troubleshooting/. -->

# Troubleshooting

Each error has a message, a hint that says what to do, and a link to a section of this page. If the hint in your log
differs from the one here, follow the one in your log: it knows more about your case.

![An annotation of a failed step: a message, a hint, and a link to this page.](annotation.svg)

To find out which part of a sign-in fails, run a [check](check.md). For more details in the log of a workflow, select
_Enable debug logging_ when you re-run its jobs: the action then logs each connection and each response. No log contains
a secret.

In this page, \`<words>\` in a message stand for values. Programs read the code from \`error.code\`
([library.md](library.md#errors)). The errors of the providers themselves are in
[auth-file.md](auth-file.md#errors-of-the-providers) and [pulumi.md](pulumi.md#errors).
`;

function formatEntry(anchor: string, message: string, hint: string, { cause, more }: ErrorCause): string {
  const advice = more === undefined ? hint : `${hint} ${more}`;
  return `### \`${anchor}\`\n\n\`${message}\`\n\n**Cause:** ${cause}\n\n**What to do:** ${escapeHint(advice)}\n`;
}

/** Variables in hints are not emphasis, and URLs of proxies are not links. */
const escapeHint = (text: string): string =>
  text.replace(/(?<!`)\b(https_proxy=|NODE_OPTIONS=)?(https?:\/\/(user|host)\S*[^\s.,]|--[\w.-]+\d)/g, "`$&`");

function createSections(): readonly string[] {
  const sections = ERROR_SECTIONS.map(({ title, text, errors }) => {
    const entries = Object.entries(errors).map(([code, entry]) => {
      const { kind, oauthError, message } = entry;
      const error = new AuthError(message, { kind, code: code as AuthErrorCode, ...(oauthError && { oauthError }) });
      return formatEntry(code, error.message, error.hint, entry);
    });
    return [`## ${title}`, text, ...entries].join("\n\n");
  });
  const apiErrors = Object.entries(API_CAUSES).map(([group, entry]) => {
    const { hint } = new ApiError(entry.message, { status: Number(group.replace("xx", "00")) });
    return formatEntry(`api_${group}`, entry.message, hint, entry);
  });
  const text =
    "The library throws an `ApiError` if the SCM API responds with an error. Its `status` is the HTTP status, and its `code` is the API's own code.";
  return [...sections, ["## The SCM API", text, ...apiErrors].join("\n\n")];
}

/** Returns the page as Prettier formats it. */
export async function createTroubleshootingPage(): Promise<string> {
  const options = await resolveConfig(PAGE);
  return format([INTRODUCTION, ...createSections()].join("\n\n"), {
    ...options,
    parser: "markdown",
    proseWrap: "always",
  });
}

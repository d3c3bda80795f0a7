import { AuthError } from "../report/errors.ts";
import { hints } from "../report/hints.ts";
import type { RequestName } from "../report/events.ts";
import type { Quote } from "../report/redactor.ts";
import { RETRIED_STATUS, type Verdict } from "./retry.ts";
import type { HttpAnswer } from "./send.ts";

type Failed = Exclude<Verdict<never>, { is: "done" }>;

/** The body as JSON, `undefined` when it is none. */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether a web page came instead: from a captive portal, a proxy, a firewall's block page. */
const isHtml = ({ headers, body }: HttpAnswer): boolean =>
  /^text\/html\b/i.test(headers["content-type"] ?? "") || /^\s*<(!doctype|html|head|body)\b/i.test(body);

/** The error for a status that is worth a repeat, should the repeats be used up. */
export const passingError = (what: string, status: number): AuthError =>
  status === 429
    ? new AuthError(what, { kind: "rate_limited", code: "rate_limited", status })
    : new AuthError(what, { kind: "server", code: "server_error", status });

/**
 * What every answer that should be JSON has in common: the status decides first, a web page is final, and a
 * complete body that is no JSON is worth a repeat. `undefined` when nothing of that is the case.
 *
 * @param detail - what the server says in its own words, already fit to be shown
 */
export function judgeJson(name: RequestName, answer: HttpAnswer, quote: Quote, detail?: string): Failed | undefined {
  const { status } = answer;
  const said = detail ? `, saying "${detail}"` : "";
  const what = `the ${name} was answered with status ${status}${said}`;
  const retried = RETRIED_STATUS[status];
  if (retried) {
    return { is: retried, error: passingError(`${what}.`, status) };
  }
  if (status >= 300 && status < 400) {
    const target = quote(answer.headers.location ?? "nowhere");
    return {
      is: "final",
      error: new AuthError(`${what}, a redirect to ${target}.`, { kind: "rejected", code: "redirected", status }),
    };
  }
  if (status < 200 || status > 299) {
    const hint = isHtml(answer) ? { hint: hints.html_page } : {};
    return {
      is: "final",
      error: new AuthError(`${what}.`, { kind: "rejected", code: "http_rejected", status, ...hint }),
    };
  }
  if (isHtml(answer)) {
    return {
      is: "final",
      error: new AuthError(`the ${name} was answered with a web page.`, {
        kind: "protocol",
        code: "html_page",
        status,
      }),
    };
  }
  if (parseJson(answer.body) === undefined) {
    return {
      is: "fault",
      error: new AuthError(`the ${name} was answered with a text that is no JSON.`, {
        kind: "protocol",
        code: "not_json",
        status,
      }),
    };
  }
  return undefined;
}

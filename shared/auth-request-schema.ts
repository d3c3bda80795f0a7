import { parseCertificates } from "./ca-certificates.ts";
import type { ConfigIssue } from "./errors.ts";
import { isHttpsOrLoopback } from "./http/tls.ts";
import { copyProperties } from "./options.ts";
import { invalidScopeTokens, parseScope } from "./scope.ts";

/** SCM's token endpoint (pan.dev, "Get Started with Strata Cloud Manager APIs"). */
export const DEFAULT_TOKEN_URL = "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token";

export const URL_HINT = `Use a URL like ${DEFAULT_TOKEN_URL}.`;

const CLIENT_ID_HINT =
  "Use the client ID exactly as shown in Strata Cloud Manager: name@<TSG ID>.iam.panserviceaccount.com.";

/** `name@<TSG ID>.iam.panserviceaccount.com`, the client IDs of SCM's service accounts. */
export const SERVICE_ACCOUNT_ID = /^[^@]+@(\d+)\.iam\.panserviceaccount\.com$/i;

/** Invisible characters (U+2800 is a blank symbol), non-ASCII whitespace, and dashes that look like a hyphen. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}\u2212\u2800]|(?!-)\p{Pd}|[^\S\t\n\v\f\r ]/u;
const QUOTED = /^(["'`\u201c\u2018]).*["'`\u201d\u2019]$/su;
/** The start of an object, also if the rest is invalid JSON or has the quotes of Python. */
const OBJECT_START = /^\{\s*["'][\w-]+["']\s*:/;
/** A line of an env file, or a label in a user interface. */
const NAMED = /^(export\s+)?(scm[\s_-])?client[\s_-]?(id|secret)\s*[=:]/i;
const CONTROL = /\p{Cc}/u;
const WHITESPACE_OR_CONTROL = /[\p{Cc}\s]/u;

/** Why a value is invalid. */
type Problem = Pick<ConfigIssue, "message" | "hint">;
type Parser<T> = (text: string) => T | Problem;

const reject = (isInvalid: boolean, message: string, hint: string): Problem | undefined =>
  isInvalid ? { message, hint } : undefined;
const rejectDocument = (text: string): Problem | undefined =>
  reject(isDocument(text), "is a JSON document", "Pass only this value from the document.") ??
  reject(NAMED.test(text), "starts with its name", "Pass only the value after the = or the colon.");
const rejectWhitespace = (text: string, hint: string): Problem | undefined =>
  reject(WHITESPACE_OR_CONTROL.test(text), "contains whitespace or control characters", hint);

function rejectInvisible(text: string): Problem | undefined {
  const code = INVISIBLE.exec(text)?.[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
  const message = `contains U+${code ?? ""}, which is invisible or looks like another character`;
  return reject(code !== undefined, message, "Remove this character, or enter the value by hand.");
}

/** Whether the text is enclosed in quotes. */
export const isQuoted = (text: string): boolean => QUOTED.test(text);

/** Recognizes mistakes that any field may contain. CA certificates may be surrounded by other text. */
function rejectCommon(field: FieldName, text: string): Problem | undefined {
  if (field === "ca") return undefined;
  const hint = "Remove the quotes. In an env file they are part of the value.";
  const quotes = reject(isQuoted(text), "is enclosed in quotes", hint);
  // Servers other than SCM's may accept any secret.
  return quotes ?? (field === "clientSecret" ? undefined : rejectInvisible(text));
}

const parseUrl: Parser<URL> = (text) => {
  const problem = rejectWhitespace(text, URL_HINT) ?? reject(!URL.canParse(text), "is not a valid URL", URL_HINT);
  if (problem) return problem;
  const url = new URL(text);
  const httpsHint = "Use https://, because the secret is sent to it (http:// is allowed for localhost only).";
  const hasCredentials = url.username !== "" || url.password !== "";
  return (
    reject(!isHttpsOrLoopback(url), "is not an https URL", httpsHint) ??
    reject(hasCredentials, "must not contain credentials", "Remove the part before the @.") ??
    reject(text.includes("?"), "must not have a query string", "Remove the query string.") ??
    reject(text.includes("#"), "must not have a fragment", "Remove the # and everything after it.") ??
    url
  );
};

const SWAPPED = "looks like a client ID";

/** The parser for each field. Its argument is trimmed and not blank. */
const PARSERS = {
  clientId: (text) => rejectDocument(text) ?? rejectWhitespace(text, CLIENT_ID_HINT) ?? text,
  clientSecret: (text) =>
    rejectDocument(text) ??
    reject(SERVICE_ACCOUNT_ID.test(text), SWAPPED, "Check whether the client ID and the client secret are swapped.") ??
    reject(CONTROL.test(text), "contains a line break or a control character", "Paste it again as a single line.") ??
    text,
  tsgId: (text) => {
    const hint = "Use the numeric ID of the tenant service group (TSG), for example 1234567890.";
    const isInvalid = !/^(tsg_id:)?\d{1,20}$/.test(text);
    return reject(isInvalid, "must contain digits only", hint) ?? text.replace(/^tsg_id:/, "");
  },
  scope: (text) => {
    const isInvalid = invalidScopeTokens(parseScope(text)).length > 0;
    const hint = "Separate scope values with spaces. Write a tenant as tsg_id:<digits>.";
    return reject(isInvalid, "contains an invalid scope-token (RFC 6749 section 3.3)", hint) ?? text;
  },
  tokenUrl: parseUrl,
  jwksUrl: parseUrl,
  issuer: (text) =>
    reject(CONTROL.test(text), "contains control characters", "Use the exact iss claim of the tokens.") ?? text,
  ca: (text) => {
    const isPath = /^\S+\.(pem|crt|cer)$/i.test(text);
    if (isPath) return { message: "is the path of a file", hint: "Pass the content of the file." };
    const { pem, reason } = parseCertificates(text);
    return reason ?? pem;
  },
} satisfies Readonly<Record<string, Parser<string | URL>>>;

export type FieldName = keyof typeof PARSERS;
export const FIELDS = Object.keys(PARSERS) as readonly FieldName[];

/**
 * Returns the client secret, for example from a secret store. It is called for each token request, so that a client
 * always uses the current secret. `signal` is aborted when the secret is no longer needed or the time limit is exceeded.
 */
export type ClientSecretFunction = (options: { readonly signal: AbortSignal }) => string | Promise<string>;

/** The fields of a request that were given and are valid. */
export type ParsedFields = {
  readonly [F in FieldName]?:
    Exclude<ReturnType<(typeof PARSERS)[F]>, Problem> | (F extends "clientSecret" ? ClientSecretFunction : never);
};

/** The names of the required fields in warnings. */
const REQUIRED: Readonly<Partial<Record<FieldName, string>>> = { clientId: "client ID", clientSecret: "client secret" };

/** The warning about a client secret that may have been changed when it was copied. */
export const SUSPECT_SECRET =
  "The client secret contains a character that is invisible or looks like another one. If the sign-in fails, paste the secret again.";

/** Parses the fields of a request. `isSwapped` is true if the client secret looks like a client ID. */
export function parseFields(input: object | undefined) {
  const given = copyProperties(input, FIELDS);
  const fields: Partial<Record<FieldName, string | URL | ClientSecretFunction>> = {};
  const issues: ConfigIssue[] = [];
  const warnings: string[] = [];
  for (const field of FIELDS) {
    const value = given[field] ?? "";
    if (field === "clientSecret" && typeof value === "function") {
      fields[field] = value as ClientSecretFunction;
      continue;
    }
    const raw = value instanceof URL ? value.href : value;
    if (typeof raw !== "string") {
      issues.push({ field, message: "must be a string", hint: "Pass a string." });
      continue;
    }
    const text = raw.trim();
    const label = REQUIRED[field];
    if (text === "") {
      const hint = "Set it. An unset variable or secret is passed as an empty string.";
      if (label !== undefined) issues.push({ field, message: "is required", hint, code: "required" });
      continue;
    }
    const parsed: string | URL | Problem = rejectCommon(field, text) ?? PARSERS[field](text);
    if (typeof parsed === "object" && "hint" in parsed) issues.push({ field, ...parsed });
    else fields[field] = parsed;
    if (text !== raw && label !== undefined) warnings.push(`Trimmed whitespace around the ${label}.`);
    if (field === "clientSecret" && INVISIBLE.test(text)) warnings.push(SUSPECT_SECRET);
  }
  return {
    fields: fields as ParsedFields,
    issues,
    warnings,
    isSwapped: issues.some(({ message }) => message === SWAPPED),
  };
}

function isDocument(text: string): boolean {
  if (!/^[[{]/.test(text)) return false;
  if (OBJECT_START.test(text)) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

import * as z from "zod/mini";
import { parseCertificates } from "./ca-certificates.ts";
import type { ConfigIssue } from "./errors.ts";
import { isHttpsOrLoopback } from "./http/tls.ts";
import { invalidScopeTokens, parseScope } from "./scope.ts";

/** SCM's token endpoint (pan.dev, "Get Started with Strata Cloud Manager APIs"). */
export const DEFAULT_TOKEN_URL = "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token";

export const URL_HINT = `Use a URL like ${DEFAULT_TOKEN_URL}.`;

const CLIENT_ID_HINT =
  "Use the client ID exactly as shown in Strata Cloud Manager: name@<TSG ID>.iam.panserviceaccount.com.";
const SECRET_HINT = "Paste the secret again as a single line.";
const QUOTES_HINT = "Remove the quotes. In an env file they are part of the value.";
const REQUIRED_HINT = "Set it. An unset variable or secret is passed as an empty string.";
const TSG_ID_HINT = "Use the numeric ID of the tenant service group (TSG), for example 1234567890.";

/** Format characters and spaces that cannot be seen, and dashes that look like a hyphen. */
const INVISIBLE = /[\p{Cf}\u2010-\u2015\u2212]|[^\S\t\n\v\f\r ]/u;
const QUOTED = /^(["'`\u201c\u2018]).*["'`\u201d\u2019]$/su;

/** The first character of `text` that cannot be seen or looks like another one: "U+200B". */
export function findInvisibleCharacter(text: string): string | undefined {
  const character = INVISIBLE.exec(text)?.[0].codePointAt(0);
  return character === undefined ? undefined : `U+${character.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** One rule of a field. The first one that fails is reported. */
const rule = (isValid: (text: string) => boolean, message: string, hint: string, code?: "required") =>
  z.refine<string>(isValid, { error: message, params: { hint, ...(code && { code }) }, abort: true });

const required = () => rule((text) => text !== "", "is required", REQUIRED_HINT, "required");
const notQuoted = () => rule((text) => !QUOTED.test(text), "is enclosed in quotes", QUOTES_HINT);
const noControlCharacters = (message: string, hint: string) => rule((text) => !/\p{Cc}/u.test(text), message, hint);

const clientId = () =>
  z.string().check(
    required(),
    notQuoted(),
    z.refine((text) => findInvisibleCharacter(text) === undefined, {
      error: ({ input }) =>
        `contains ${findInvisibleCharacter(String(input)) ?? ""}, which is invisible or looks like another character`,
      params: { hint: CLIENT_ID_HINT },
      abort: true,
    }),
    rule((text) => !/[\p{Cc}\s]/u.test(text), "contains whitespace or control characters", CLIENT_ID_HINT),
  );

const clientSecret = () =>
  z.string().check(
    required(),
    rule((text) => !isJsonContainer(text), "is a JSON document", "Pass only the client secret of the document."),
    notQuoted(),
    rule(
      (text) => !SERVICE_ACCOUNT_ID.test(text),
      "looks like a client ID",
      "Check whether the client ID and the client secret are swapped.",
    ),
    noControlCharacters("contains a line break or a control character", SECRET_HINT),
  );

const tsgId = () =>
  z.pipe(
    z.string().check(
      notQuoted(),
      rule((text) => /^(tsg_id:)?\d{1,20}$/.test(text), "must contain digits only", TSG_ID_HINT),
    ),
    z.transform((text) => text.replace(/^tsg_id:/, "")),
  );

const scope = () =>
  z
    .string()
    .check(
      rule(
        (text) => invalidScopeTokens(parseScope(text)).length === 0,
        "contains an invalid scope-token (RFC 6749 section 3.3)",
        "Use scope-tokens separated by spaces; a tenant is tsg_id:<digits>.",
      ),
    );

const url = () =>
  z.pipe(
    z.string().check(
      rule((text) => !/[\p{Cc}\s]/u.test(text), "contains whitespace or control characters", URL_HINT),
      rule((text) => URL.canParse(text), "is not a valid URL", URL_HINT),
      rule(
        (text) => isHttpsOrLoopback(new URL(text)),
        "is not an https URL",
        "Use https://, because the secret is sent to it (http:// is allowed for localhost only).",
      ),
      rule(
        (text) => new URL(text).username === "" && new URL(text).password === "",
        "must not contain credentials",
        "Remove the part before the @.",
      ),
      rule((text) => !text.includes("?"), "must not have a query string", "Remove the query string."),
      rule((text) => !text.includes("#"), "must not have a fragment", "Remove the # and everything after it."),
    ),
    z.transform((text) => new URL(text)),
  );

const issuer = () =>
  z.string().check(noControlCharacters("contains control characters", "Use the exact iss claim of the tokens."));

const ca = () =>
  z.pipe(
    z.string(),
    z.transform((text, context) => {
      const { pem, reason } = parseCertificates(text);
      if (reason === undefined) return pem;
      const { message, hint } = reason;
      context.issues.push({ code: "custom", message, params: { hint }, input: text });
      return z.NEVER;
    }),
  );

/** `name@<TSG ID>.iam.panserviceaccount.com`, the client IDs of SCM's service accounts. */
export const SERVICE_ACCOUNT_ID = /^[^@]+@(\d+)\.iam\.panserviceaccount\.com$/i;

/** Creates the schema of each field. Values are trimmed before; blank ones only reach required fields. */
export const FIELD_SCHEMAS = Object.freeze({
  clientId,
  clientSecret,
  tsgId,
  scope,
  tokenUrl: url,
  jwksUrl: url,
  issuer,
  ca,
});

export type FieldName = keyof typeof FIELD_SCHEMAS;

/** The fields of a request, as far as they are given and valid. */
export type ParsedFields = { readonly [F in FieldName]?: z.infer<ReturnType<(typeof FIELD_SCHEMAS)[F]>> };

/** Parses one field. */
export function parseField(
  field: FieldName,
  text: string,
): { readonly value: unknown } | { readonly issue: ConfigIssue } {
  const parsed = (FIELD_SCHEMAS[field]() as z.ZodMiniType).safeParse(text);
  if (parsed.success) return { value: parsed.data };
  const issue = parsed.error.issues[0];
  const params: Readonly<Record<string, unknown>> = (issue?.code === "custom" ? issue.params : undefined) ?? {};
  return {
    issue: {
      field,
      message: issue?.message ?? "",
      hint: String(params["hint"]),
      ...(params["code"] === "required" && { code: "required" }),
    },
  };
}

function isJsonContainer(text: string): boolean {
  if (!/^[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

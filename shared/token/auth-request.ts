import type * as z from "zod/mini";
import { AuthError, configError } from "../report/errors.ts";
import { FIELD_NAMES, type Problem } from "../report/fields.ts";
import { printable } from "../report/printable.ts";
import { requestFields } from "./request-fields.ts";
import { scopeWords, tenantScope, tenantsOf } from "./scope.ts";
import { showAs } from "../report/show-as.ts";

/** What a sign-in may be given, all text. Blank is absent; white space around a value is taken off. */
export interface AuthRequestInput {
  /** The service account's client id: `name@<TSG id>.iam.panserviceaccount.com`. Required. */
  readonly clientId?: string | undefined;
  /** The service account's secret. Required. */
  readonly clientSecret?: string | undefined;
  /** The tenant service group's id, digits. Default: the tenant that `scope`, else the client id names. */
  readonly tsgId?: string | undefined;
  /** Words separated by spaces (RFC 6749 section 3.3). Default: `tsg_id:<tsgId>`. */
  readonly scope?: string | undefined;
  /** Where tokens are asked for. Default: {@link DEFAULT_TOKEN_URL}. */
  readonly tokenUrl?: string | undefined;
  /** Where the signing keys are. Default: beside the token URL, at `connect/jwk_uri`. */
  readonly jwksUrl?: string | undefined;
  /** What the token's `iss` must be. Default: anything. */
  readonly issuer?: string | undefined;
  /** Certificates that are trusted beside those node trusts, PEM text. */
  readonly ca?: string | undefined;
}

/** The token endpoint of SCM (pan.dev, "Get Started with Strata Cloud Manager APIs"). */
export const DEFAULT_TOKEN_URL = "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token";
const DEFAULT_HOST = new URL(DEFAULT_TOKEN_URL).host;

/** `name@<TSG id>.iam.panserviceaccount.com`, as SCM names service accounts. */
const SERVICE_ACCOUNT = /^[^@]+@(\d+)\.iam\.panserviceaccount\.com$/i;

const BRAND = Symbol.for("scm-auth.AuthRequest");

/** A complete, checked order for one token. It prints without its secret. */
export class AuthRequest {
  readonly clientId: string;
  /** The scope as it is sent. */
  readonly scope: string;
  /** The tenants asked for, each of which the token must grant; empty when the scope names none. */
  readonly tenants: readonly string[];
  readonly tokenUrl: URL;
  readonly jwksUrl: URL;
  readonly issuer: string | undefined;
  readonly ca: string | undefined;
  /** What was assumed or put right, for the user to know. May name fields as `{tsgId}`. */
  readonly notices: readonly string[];
  readonly #clientSecret: string;

  private constructor(fields: CheckedFields & { readonly clientSecret: string }) {
    this.clientId = fields.clientId;
    this.#clientSecret = fields.clientSecret;
    this.scope = fields.scope;
    this.tenants = tenantsOf(scopeWords(fields.scope));
    this.tokenUrl = fields.tokenUrl;
    this.jwksUrl = fields.jwksUrl;
    this.issuer = fields.issuer;
    this.ca = fields.ca;
    this.notices = fields.notices;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is an AuthRequest, also one of another copy of this package (ESM beside CommonJS). */
  static isAuthRequest(value: unknown): value is AuthRequest {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  get clientSecret(): string {
    return this.#clientSecret;
  }

  /**
   * Checks everything and reports all problems at once.
   *
   * @throws AuthError of kind `config`; its `problems` name each field
   */
  static parse(input: AuthRequestInput): AuthRequest {
    const problems: Problem[] = [...unknownFields(input)];
    const notices: string[] = [];
    const given = parseFields(input, problems, notices);
    const scope = problems.some(({ field }) => SCOPE_FIELDS.has(field))
      ? undefined
      : chooseScope(given, problems, notices);
    const { clientId, clientSecret } = given;
    if (problems.length > 0 || scope === undefined || clientId === undefined || clientSecret === undefined)
      throw configError(problems);
    const tokenUrl = given.tokenUrl ?? new URL(DEFAULT_TOKEN_URL);
    const jwksUrl = given.jwksUrl ?? defaultJwksUrl(tokenUrl);
    return new AuthRequest({ ...given, clientId, clientSecret, scope, tokenUrl, jwksUrl, notices });
  }

  /**
   * Takes what is to be taken from the environment: `SCM_CLIENT_ID SCM_CLIENT_SECRET SCM_TSG_ID SCM_SCOPE`, and
   * `SCM_TOKEN_URL`, else `SCM_AUTH_URL`.
   *
   * @throws AuthError of kind `config`; its message names the variables
   */
  static fromEnv(env: Readonly<Record<string, string | undefined>> = process.env): AuthRequest {
    const set = Object.entries(VARIABLES).map(([field, names]) => {
      const name = names.find((one) => (env[one] ?? "").trim() !== "") ?? names[0] ?? "";
      return { field, name, value: env[name] };
    });
    const named = { ...FIELD_NAMES, ...Object.fromEntries(set.map(({ field, name }) => [field, name])) };
    const problems: Problem[] = [];
    const tokenUrl = set.find(({ field }) => field === "tokenUrl")?.value?.trim() ?? "";
    // The vendor's tools take a bare host here; a token request to it would send the secret to a wrong path.
    if (tokenUrl !== "" && !tokenUrl.endsWith("/access_token")) {
      problems.push({
        field: "tokenUrl",
        reason: "does not end in /access_token",
        hint: `Write it like ${DEFAULT_TOKEN_URL}.`,
      });
    }
    try {
      const request = AuthRequest.parse(Object.fromEntries(set.map(({ field, value }) => [field, value])));
      if (problems.length === 0) return request;
    } catch (error) {
      if (!AuthError.isAuthError(error)) throw error;
      problems.unshift(...error.problems.filter(({ field }) => field !== "tokenUrl" || problems.length === 0));
    }
    throw configError(problems, named);
  }
}
showAs(
  AuthRequest.prototype,
  (request) => `AuthRequest { ${request.clientId} ${request.scope} ${request.tokenUrl.href} }`,
);

/** The environment's name for each field. The first one that is set holds. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = Object.freeze({
  clientId: ["SCM_CLIENT_ID"],
  clientSecret: ["SCM_CLIENT_SECRET"],
  tsgId: ["SCM_TSG_ID"],
  scope: ["SCM_SCOPE"],
  tokenUrl: ["SCM_TOKEN_URL", "SCM_AUTH_URL"],
});

interface CheckedFields {
  readonly clientId: string;
  readonly scope: string;
  readonly tokenUrl: URL;
  readonly jwksUrl: URL;
  readonly issuer?: string | undefined;
  readonly ca?: string | undefined;
  readonly notices: readonly string[];
}

/** Names of the Python `AuthRequestModel`, which people bring along. */
const PYTHON_NAMES: Readonly<Record<string, string>> = Object.freeze({
  client_id: "clientId",
  client_secret: "clientSecret",
  tsg_id: "tsgId",
  token_url: "tokenUrl",
});

function unknownFields(input: AuthRequestInput): readonly Problem[] {
  return Object.keys(input)
    .filter((name) => !Object.hasOwn(requestFields, name))
    .map((name) => {
      const ours = Object.hasOwn(PYTHON_NAMES, name) ? PYTHON_NAMES[name] : undefined;
      const known = Object.keys(requestFields).join(", ");
      const shown = printable(name, 60);
      return ours === undefined
        ? { field: shown, reason: "is no field of a sign-in", hint: `Known are ${known}.` }
        : { field: shown, reason: `is called ${ours} here`, hint: `Write ${ours}.` };
    });
}

/** The fields that the scope is made of: with one of them wrong nothing can be said of it. */
const SCOPE_FIELDS: ReadonlySet<string> = new Set(["clientId", "tsgId", "scope"]);
const REQUIRED: ReadonlySet<string> = new Set(["clientId", "clientSecret"]);
/** White space around these is worth a word: it was pasted along. */
const TRIM_TOLD: ReadonlySet<string> = new Set(["clientId", "clientSecret"]);

type Given = { readonly [F in keyof typeof requestFields]?: z.infer<(typeof requestFields)[F]> };

function parseFields(input: AuthRequestInput, problems: Problem[], notices: string[]): Given {
  const given: Record<string, unknown> = {};
  for (const [field, schema] of Object.entries(requestFields) as [Problem["field"], z.ZodMiniType][]) {
    const raw: unknown = input[field as keyof AuthRequestInput] ?? "";
    if (typeof raw !== "string") {
      problems.push({ field, reason: "is no text", hint: "Write it as a string." });
      continue;
    }
    const text = raw.trim();
    if (text === "" && !REQUIRED.has(field)) continue;
    if (text !== "" && text !== raw && TRIM_TOLD.has(field))
      notices.push(`White space around {${field}} was taken off.`);
    const parsed = schema.safeParse(text);
    if (parsed.success) given[field] = parsed.data;
    else {
      const [reason = "", hint = ""] = (parsed.error.issues[0]?.message ?? "").split(" | ");
      problems.push({ field, reason, hint });
    }
  }
  return given;
}

/** The scope to send, by what of tenant, scope and client id is given. */
function chooseScope({ clientId, tsgId, scope }: Given, problems: Problem[], notices: string[]): string | undefined {
  if (scope === undefined) {
    const named = tsgId ?? SERVICE_ACCOUNT.exec(clientId ?? "")?.[1];
    if (named === undefined) {
      problems.push({
        field: "tsgId",
        reason: "is missing and the client id names no tenant",
        hint: "Give the tenant service group's id in digits.",
      });
      return undefined;
    }
    if (tsgId === undefined) notices.push(`Tenant ${named} is taken from the client id; {tsgId} would name another.`);
    return tenantScope(named);
  }
  const words = scopeWords(scope);
  const tenants = tenantsOf(words);
  if (tsgId !== undefined && (tenants.length !== 1 || tenants[0] !== tsgId)) {
    const others = words.filter((word) => !word.startsWith("tsg_id:"));
    const hint = `Write ${[tenantScope(tsgId), ...others].join(" ")}, or leave {scope} out.`;
    problems.push({ field: "scope", reason: "is for another tenant than {tsgId}", hint });
    return undefined;
  }
  if (tenants.length === 0)
    notices.push("{scope} names no tenant (tsg_id:<digits>), so the token's tenant is not checked.");
  return words.join(" ");
}

/** Beside the token URL; SCM itself has its keys in one place, whichever of its token URLs is used. */
function defaultJwksUrl(tokenUrl: URL): URL {
  const base = tokenUrl.host === DEFAULT_HOST ? DEFAULT_TOKEN_URL : tokenUrl.href;
  return new URL("connect/jwk_uri", base);
}

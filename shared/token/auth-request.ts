import type * as z from "zod/mini";
import { configError } from "../report/errors.ts";
import { FIELD_NAMES, nameFields, type FieldNames, type Problem } from "../report/fields.ts";
import { printable } from "../report/printable.ts";
import { showAs } from "../report/show-as.ts";
import { completeFromEnvironment, readEnvironment } from "./environment.ts";
import { DEFAULT_TOKEN_URL, requestFields } from "./request-fields.ts";
import { scopeWords, tenantScope, tenantsOf } from "./scope.ts";

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
  /** Where tokens are asked for, https. Default: `https://auth.apps.paloaltonetworks.com/am/oauth2/access_token`. */
  readonly tokenUrl?: string | undefined;
  /** Where the signing keys are. Default: beside the token URL, at `connect/jwk_uri`. */
  readonly jwksUrl?: string | undefined;
  /** What the token's `iss` must be. Default: anything. */
  readonly issuer?: string | undefined;
  /** Certificates that are trusted beside those node trusts, PEM text. */
  readonly ca?: string | undefined;
}

const DEFAULT_HOST = new URL(DEFAULT_TOKEN_URL).host;

/** `name@<TSG id>.iam.panserviceaccount.com`, as SCM names service accounts. */
const SERVICE_ACCOUNT = /^[^@]+@(\d+)\.iam\.panserviceaccount\.com$/i;

const BRAND = Symbol.for("scm-auth.AuthRequest");

/**
 * A complete, checked order for one token (RFC 6749 section 4.4). It prints without its secret.
 *
 * @example
 * ```ts
 * const request = AuthRequest.parse({ clientId: "ci@1234567890.iam.panserviceaccount.com", clientSecret });
 * ```
 */
export class AuthRequest {
  /** The service account's client id. */
  readonly clientId: string;
  /** The scope as it is sent. */
  readonly scope: string;
  /** The tenants asked for, each of which the token must grant; empty when the scope names none. */
  readonly tenants: readonly string[];
  /** Where the token is asked for. */
  readonly tokenUrl: URL;
  /** Where the signing keys are (RFC 7517). */
  readonly jwksUrl: URL;
  /** What the token's `iss` must be; undefined when it may be anything. */
  readonly issuer: string | undefined;
  /** Certificates that are trusted beside those node trusts, PEM text; undefined for none. */
  readonly ca: string | undefined;
  /** What was assumed or put right, for the user to know: sentences, in the names by which the fields were given. */
  readonly notices: readonly string[];
  readonly #clientSecret: string;
  readonly #notices: readonly string[];

  private constructor(fields: CheckedFields & { readonly clientSecret: string }, names: FieldNames) {
    this.clientId = fields.clientId;
    this.#clientSecret = fields.clientSecret;
    this.scope = fields.scope;
    this.tenants = tenantsOf(scopeWords(fields.scope));
    this.tokenUrl = fields.tokenUrl;
    this.jwksUrl = fields.jwksUrl;
    this.issuer = fields.issuer;
    this.ca = fields.ca;
    this.#notices = fields.notices;
    this.notices = this.noticesWith(names);
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is an AuthRequest, also one of another copy of this package (ESM beside CommonJS). */
  static isAuthRequest(value: unknown): value is AuthRequest {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** The service account's secret. */
  get clientSecret(): string {
    return this.#clientSecret;
  }

  /** The notices, in the words of one front door. @internal */
  noticesWith(names: FieldNames): readonly string[] {
    return this.#notices.map((notice) => nameFields(notice, names));
  }

  /**
   * Checks everything and reports all problems at once. Names of the Python `AuthRequestModel` (`client_id`) are
   * told with ours.
   *
   * @throws AuthError of kind `config`; its `problems` name each field, and none quotes a value
   */
  static parse(input: AuthRequestInput): AuthRequest {
    return AuthRequest.#check(input, unknownFields(input), FIELD_NAMES);
  }

  /**
   * Takes what is to be taken from the environment: `SCM_CLIENT_ID SCM_CLIENT_SECRET SCM_TSG_ID SCM_SCOPE`, and
   * `SCM_TOKEN_URL`, else `SCM_AUTH_URL`. Blank ones count as not set.
   *
   * @param env - Default: `process.env`
   * @throws AuthError of kind `config`; its message and `problems` name the variables, and none quotes a value
   */
  static fromEnv(env: Readonly<Record<string, string | undefined>> = process.env): AuthRequest {
    const { input, problems, names } = readEnvironment(env);
    return AuthRequest.#check(input, problems, names);
  }

  /**
   * Takes each field from `input`, or else from the environment, as {@link AuthRequest.fromEnv} does. An empty one
   * counts as not given.
   *
   * @throws AuthError of kind `config`; its `problems` name each field as the user wrote it, or the variable
   * @internal
   */
  static complete(
    input: AuthRequestInput,
    env: Readonly<Record<string, string | undefined>> = process.env,
  ): AuthRequest {
    const { input: found, problems, names } = completeFromEnvironment({ ...input }, env);
    const given = Object.entries(input).filter(([, value]: [string, unknown]) => value !== undefined && value !== "");
    return AuthRequest.#check(
      { ...found, ...Object.fromEntries(given) },
      [...unknownFields(input), ...problems],
      names,
    );
  }

  /** @param found - problems that are known already */
  static #check(input: AuthRequestInput, found: readonly Problem[], names: FieldNames): AuthRequest {
    const problems = [...found];
    const notices: string[] = [];
    const given = parseFields(input, problems, notices);
    const scope = problems.some(({ field }) => SCOPE_FIELDS.has(field))
      ? undefined
      : chooseScope(given, problems, notices);
    const { clientId, clientSecret } = given;
    if (problems.length > 0 || scope === undefined || clientId === undefined || clientSecret === undefined)
      throw configError(problems, names);
    const tokenUrl = given.tokenUrl ?? new URL(DEFAULT_TOKEN_URL);
    const jwksUrl = given.jwksUrl ?? defaultJwksUrl(tokenUrl);
    return new AuthRequest({ ...given, clientId, clientSecret, scope, tokenUrl, jwksUrl, notices }, names);
  }
}
showAs(
  AuthRequest.prototype,
  (request) => `AuthRequest { ${request.clientId} ${request.scope} ${request.tokenUrl.href} }`,
);

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

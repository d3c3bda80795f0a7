import {
  DEFAULT_TOKEN_URL,
  FIELDS,
  parseFields,
  SERVICE_ACCOUNT_ID,
  type ClientSecretFunction,
  type FieldName,
  type ParsedFields,
} from "./auth-request-schema.ts";
import { completeFromEnvironment, readEnvironment, type Environment } from "./environment.ts";
import { AuthError, configError, type ConfigIssue } from "./errors.ts";
import { defineInspect } from "./inspect.ts";
import { copyProperties, unknownNameIssue } from "./options.ts";
import { getTsgIds, parseScope, tsgScope } from "./scope.ts";

/** The fields of an {@link AuthRequest}. Blank fields are treated as missing, and surrounding whitespace is removed. */
export interface AuthRequestInput {
  /** The client ID of the service account: `name@<TSG ID>.iam.panserviceaccount.com`. Required. */
  readonly clientId: string | undefined;
  /** The client secret of the service account, or a function that returns the current one. Required. */
  readonly clientSecret: string | ClientSecretFunction | undefined;
  /**
   * The numeric ID of the tenant service group (TSG). Default: the tenant in `scope` or, if it contains none, in the
   * client ID.
   */
  readonly tsgId?: string | undefined;
  /** Scope-tokens separated by spaces (RFC 6749 section 3.3). Default: `tsg_id:<tsgId>`. */
  readonly scope?: string | undefined;
  /** The HTTPS URL of the token endpoint. Default: `https://auth.apps.paloaltonetworks.com/am/oauth2/access_token`. */
  readonly tokenUrl?: string | URL | undefined;
  /** The HTTPS URL of the authorization server's JWK Set. Default: `connect/jwk_uri` relative to the token URL. */
  readonly jwksUrl?: string | URL | undefined;
  /** The expected `iss` claim. By default, any issuer is accepted. If it is set, opaque tokens are always rejected. */
  readonly issuer?: string | undefined;
  /** CA certificates in PEM format to trust in addition to Node's defaults. */
  readonly ca?: string | undefined;
}

/** A valid request, or all issues found in its fields. */
export type AuthRequestResult = { readonly request: AuthRequest } | { readonly issues: readonly ConfigIssue[] };

const BRAND = Symbol.for("scm-auth.AuthRequest");

/**
 * The validated configuration of a sign-in with client credentials (RFC 6749 section 4.4). Printing it does not show
 * the secret.
 *
 * @example
 * ```ts
 * const request = AuthRequest.parse({ clientId: "ci@1234567890.iam.panserviceaccount.com", clientSecret });
 * ```
 */
export class AuthRequest {
  /** The client ID of the service account. */
  readonly clientId: string;
  /** The requested scope, exactly as sent. */
  readonly scope: string;
  /** The requested tenants, all of which the token must grant; empty if the scope contains no tenant. */
  readonly tsgIds: readonly string[];
  /** The requested tenant; undefined unless the scope contains exactly one. */
  readonly tsgId: string | undefined;
  /** The URL of the token endpoint. */
  readonly tokenUrl: URL;
  /** The URL of the authorization server's JWK Set (RFC 7517). */
  readonly jwksUrl: URL;
  /** The expected `iss` claim; undefined if any issuer is accepted. */
  readonly issuer: string | undefined;
  /** CA certificates in PEM format to trust in addition to Node's defaults. */
  readonly ca: string | undefined;
  /** Sentences that tell the user what was assumed or corrected. */
  readonly warnings: readonly string[];
  readonly #fields: CompleteFields;
  #clientSecret: string;

  private constructor(fields: CompleteFields, warnings: readonly string[]) {
    this.#fields = fields;
    this.clientId = fields.clientId;
    this.#clientSecret = typeof fields.clientSecret === "string" ? fields.clientSecret : "";
    this.scope = fields.scope;
    this.tsgIds = getTsgIds(parseScope(fields.scope));
    this.tsgId = this.tsgIds.length === 1 ? this.tsgIds[0] : undefined;
    const defaultTokenUrl = new URL(DEFAULT_TOKEN_URL);
    this.tokenUrl = fields.tokenUrl ?? defaultTokenUrl;
    // SCM uses one JWK Set for all its token URLs.
    const jwksBase = this.tokenUrl.host === defaultTokenUrl.host ? defaultTokenUrl : this.tokenUrl;
    this.jwksUrl = fields.jwksUrl ?? new URL("connect/jwk_uri", jwksBase);
    this.issuer = fields.issuer;
    this.ca = fields.ca;
    this.warnings = warnings;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** The client secret of the service account. If it is a function, the value that it last returned, initially empty. */
  get clientSecret(): string {
    return this.#clientSecret;
  }

  /**
   * Returns a copy with some fields replaced, for example for another tenant of the same account, or with a new secret.
   * A new `tsgId` replaces the tenants in the scope.
   *
   * @example
   * ```ts
   * const request = AuthRequest.fromEnv();
   * const other = await OAuth2Client.connect(request.with({ tsgId: "1234567890" }));
   * ```
   * @throws AuthError of kind `config` with all issues. A field that is undefined or blank is an issue; otherwise, an
   *   unset variable would select the old tenant
   */
  with(changes: Partial<AuthRequestInput>): AuthRequest {
    const given = copyProperties(changes, FIELDS);
    const missing = Object.entries(given).filter(([, value]) =>
      typeof value === "string" ? value.trim() === "" : (value ?? undefined) === undefined,
    );
    if (missing.length > 0) {
      const hint = "Set it. To keep the current value, omit the field.";
      throw configError(missing.map(([field]) => ({ field, message: "is required", hint, code: "required" })));
    }
    const input = { ...this.#fields, tsgId: undefined, ...given };
    if (given["tsgId"] === undefined || given["scope"] !== undefined) return AuthRequest.parse(input);
    const { scope } = AuthRequest.parse({ ...input, scope: undefined });
    const otherTokens = parseScope(this.scope).filter((token) => !token.startsWith("tsg_id:"));
    return AuthRequest.parse({ ...input, scope: [scope, ...otherTokens].join(" ") });
  }

  /**
   * Returns every field as text, with the current client secret. A request parsed from the result is equal to this one.
   *
   * @internal
   */
  toInput(): AuthRequestInput & Readonly<Record<FieldName, string | undefined>> {
    const entries = FIELDS.map((field) => [field, this[field]?.toString()] as const);
    return Object.fromEntries(entries) as Record<FieldName, string>;
  }

  /**
   * If the client secret is a function, calls it and makes its result the current secret.
   *
   * @returns undefined if it is not a function
   * @throws AuthError of kind `config` if the function fails or returns something invalid
   * @internal
   */
  updateClientSecret(signal: AbortSignal): Promise<void> | undefined {
    const { clientSecret } = this.#fields;
    return typeof clientSecret === "function" ? this.#updateClientSecret(clientSecret, signal) : undefined;
  }

  async #updateClientSecret(getClientSecret: ClientSecretFunction, signal: AbortSignal): Promise<void> {
    let value: unknown;
    try {
      value = await getClientSecret({ signal });
    } catch (cause) {
      const description = "the function that returns the client secret failed.";
      throw new AuthError(description, { kind: "config", code: "client_secret_unavailable", cause });
    }
    const { fields, issues } = parseFields({ clientSecret: typeof value === "string" ? value : "" });
    if (typeof fields.clientSecret !== "string")
      throw configError(issues.filter(({ field }) => field === "clientSecret"));
    this.#clientSecret = fields.clientSecret;
  }

  /** Whether `value` is an AuthRequest, including one created by another copy of this package (ESM and CommonJS). */
  static isAuthRequest(value: unknown): value is AuthRequest {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /**
   * Validates the fields and creates a request.
   *
   * @throws AuthError of kind `config` with all issues; no issue contains a field's value
   */
  static parse(input: AuthRequestInput): AuthRequest {
    return getRequest(AuthRequest.safeParse(input));
  }

  /** Like {@link AuthRequest.parse}, but returns the issues instead of throwing them. */
  static safeParse(input: Partial<AuthRequestInput>): AuthRequestResult {
    return AuthRequest.#validate(input, findUnknownFields(input), {});
  }

  /**
   * Reads a request from `SCM_CLIENT_ID`, `SCM_CLIENT_SECRET`, `SCM_TSG_ID`, `SCM_SCOPE`, and `SCM_TOKEN_URL` (or
   * `SCM_AUTH_URL` if `SCM_TOKEN_URL` is not set). Blank variables are treated as unset.
   *
   * @param env - the environment variables. Default: `process.env`
   * @throws AuthError of kind `config`; its `issues` name the variables, and no issue contains a value
   */
  static fromEnv(env: Environment = process.env): AuthRequest {
    const { input, issues, names } = readEnvironment(env);
    return getRequest(AuthRequest.#validate(input, issues, names));
  }

  /**
   * Takes each field from `input` or, if missing, from the environment, like {@link AuthRequest.fromEnv}. Empty fields
   * are treated as missing.
   *
   * @throws AuthError of kind `config`; its `issues` name each field as the caller wrote it, or its environment
   *   variable
   * @internal
   */
  static fromArgs(input: Partial<AuthRequestInput>, env: Environment = process.env): AuthRequest {
    const { input: fromEnvironment, issues, names } = completeFromEnvironment(input, env);
    const given = Object.entries(copyProperties(input, FIELDS)).filter(
      ([, value]: [string, unknown]) => value !== undefined && value !== "",
    );
    const fields = { ...fromEnvironment, ...Object.fromEntries(given) };
    return getRequest(AuthRequest.#validate(fields, [...findUnknownFields(input), ...issues], names));
  }

  /**
   * @param knownIssues - issues that were already found
   * @param names - the names by which the user knows the fields, if they differ
   */
  static #validate(input: object, knownIssues: readonly ConfigIssue[], names: FieldNames): AuthRequestResult {
    const { fields, issues: found, warnings, isSwapped } = parseFields(input);
    const isResolvable = !isSwapped && !found.some(({ field }) => SCOPE_SOURCES.has(field));
    const { scope, issue, warning }: ResolvedScope = isResolvable ? resolveScope(fields) : {};
    const named = [...found, ...(issue ? [issue] : [])].map((one) => {
      return { ...one, field: names[one.field as FieldName] ?? one.field };
    });
    const issues = [...knownIssues, ...named];
    const { clientId, clientSecret } = fields;
    if (issues.length > 0 || clientId === undefined || clientSecret === undefined || scope === undefined)
      return { issues };
    const complete = { ...fields, clientId, clientSecret, scope };
    return { request: new AuthRequest(complete, warning === undefined ? warnings : [...warnings, warning]) };
  }
}
defineInspect(
  AuthRequest.prototype,
  (request) => `AuthRequest { ${request.clientId} ${request.scope} ${request.tokenUrl.href} }`,
);

/** Returns `value` if it is a request. If not, parses it. @throws AuthError of kind `config` */
export const toAuthRequest = (value: AuthRequest | AuthRequestInput): AuthRequest =>
  AuthRequest.isAuthRequest(value) ? value : AuthRequest.parse(value);

type FieldNames = Readonly<Partial<Record<FieldName, string>>>;

type CompleteFields = ParsedFields & Required<Pick<ParsedFields, "clientId" | "clientSecret" | "scope">>;

function getRequest(result: AuthRequestResult): AuthRequest {
  if ("issues" in result) throw configError(result.issues);
  return result.request;
}

const findUnknownFields = (input: object | undefined): readonly ConfigIssue[] =>
  Object.keys(input ?? {})
    .filter((name) => !(FIELDS as readonly string[]).includes(name))
    .map((name) => unknownNameIssue(name, FIELDS, "field"));

interface ResolvedScope {
  readonly scope?: string;
  readonly issue?: ConfigIssue;
  readonly warning?: string;
}

/** The fields from which the scope is derived. If one of them has an issue, the scope is not checked. */
const SCOPE_SOURCES: ReadonlySet<string> = new Set(["clientId", "tsgId", "scope"]);

/** Determines the scope to request. */
function resolveScope({ clientId, tsgId, scope }: ParsedFields): ResolvedScope {
  if (scope === undefined) {
    const fromClientId = SERVICE_ACCOUNT_ID.exec(clientId ?? "")?.[1];
    const id = tsgId ?? fromClientId;
    if (id === undefined) {
      const message = "is required: the client ID does not contain a tenant";
      const hint = "Set the numeric ID of the tenant service group (TSG).";
      return { issue: { field: "tsgId", message, hint, code: "required" } };
    }
    const warning = `Using tenant ${id} from the client ID. Set the TSG ID to use another tenant.`;
    return { scope: tsgScope(id), ...(tsgId === undefined && { warning }) };
  }
  const tokens = parseScope(scope);
  const tsgIds = getTsgIds(tokens);
  if (tsgId !== undefined && (tsgIds.length !== 1 || tsgIds[0] !== tsgId)) {
    const expected = [tsgScope(tsgId), ...tokens.filter((token) => !token.startsWith("tsg_id:"))].join(" ");
    const hint = `Use "${expected}" or omit the scope.`;
    return { issue: { field: "scope", message: "does not match the TSG ID", hint } };
  }
  const warning = "The scope contains no tsg_id, so the token's tenant is not verified.";
  return { scope: tokens.join(" "), ...(tsgIds.length === 0 && { warning }) };
}

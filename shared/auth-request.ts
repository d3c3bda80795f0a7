import {
  DEFAULT_TOKEN_URL,
  FIELDS,
  parseFields,
  SERVICE_ACCOUNT_ID,
  type FieldName,
  type ParsedFields,
} from "./auth-request-schema.ts";
import { completeFromEnvironment, readEnvironment, type Environment } from "./environment.ts";
import { configError, type ConfigIssue } from "./errors.ts";
import { defineInspect } from "./inspect.ts";
import { unknownNameIssue } from "./options.ts";
import { getTsgIds, parseScope, tsgScope } from "./scope.ts";

/** The fields of an {@link AuthRequest}. Blank ones count as not given; surrounding whitespace is removed. */
export interface AuthRequestInput {
  /** The client ID of the service account: `name@<TSG ID>.iam.panserviceaccount.com`. Required. */
  readonly clientId: string | undefined;
  /** The client secret of the service account. Required. */
  readonly clientSecret: string | undefined;
  /** The ID of the tenant service group (TSG), digits. Default: the tenant of `scope`, otherwise of the client ID. */
  readonly tsgId?: string | undefined;
  /** Scope-tokens separated by spaces (RFC 6749 section 3.3). Default: `tsg_id:<tsgId>`. */
  readonly scope?: string | undefined;
  /** The token endpoint, https. Default: `https://auth.apps.paloaltonetworks.com/am/oauth2/access_token`. */
  readonly tokenUrl?: string | URL | undefined;
  /** The JWK Set of the auth server, https. Default: `connect/jwk_uri` relative to the token URL. */
  readonly jwksUrl?: string | URL | undefined;
  /** The expected `iss` claim. Default: any. */
  readonly issuer?: string | undefined;
  /** CA certificates to trust in addition to Node's defaults, PEM. */
  readonly ca?: string | undefined;
}

/** A request, or everything that is wrong with its fields. */
export type AuthRequestResult = { readonly request: AuthRequest } | { readonly issues: readonly ConfigIssue[] };

const BRAND = Symbol.for("scm-auth.AuthRequest");

/**
 * The validated configuration of a sign-in with client credentials (RFC 6749 section 4.4). It prints without its secret.
 *
 * @example
 * ```ts
 * const request = AuthRequest.parse({ clientId: "ci@1234567890.iam.panserviceaccount.com", clientSecret });
 * ```
 */
export class AuthRequest {
  /** The client ID of the service account. */
  readonly clientId: string;
  /** The requested scope, as it is sent. */
  readonly scope: string;
  /** The requested tenants, each of which the token must grant; empty if the scope contains none. */
  readonly tsgIds: readonly string[];
  /** The token endpoint. */
  readonly tokenUrl: URL;
  /** The JWK Set (RFC 7517) of the auth server. */
  readonly jwksUrl: URL;
  /** The expected `iss` claim; undefined for any. */
  readonly issuer: string | undefined;
  /** CA certificates to trust in addition to Node's defaults, PEM. */
  readonly ca: string | undefined;
  /** What was assumed or corrected, as sentences for the user. */
  readonly warnings: readonly string[];
  readonly #clientSecret: string;

  private constructor(fields: CompleteFields, warnings: readonly string[]) {
    this.clientId = fields.clientId;
    this.#clientSecret = fields.clientSecret;
    this.scope = fields.scope;
    this.tsgIds = getTsgIds(parseScope(fields.scope));
    const defaultTokenUrl = new URL(DEFAULT_TOKEN_URL);
    this.tokenUrl = fields.tokenUrl ?? defaultTokenUrl;
    // SCM has one JWK Set for all of its token URLs.
    const jwksBase = this.tokenUrl.host === defaultTokenUrl.host ? defaultTokenUrl : this.tokenUrl;
    this.jwksUrl = fields.jwksUrl ?? new URL("connect/jwk_uri", jwksBase);
    this.issuer = fields.issuer;
    this.ca = fields.ca;
    this.warnings = warnings;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** The client secret of the service account. */
  get clientSecret(): string {
    return this.#clientSecret;
  }

  /** Whether `value` is an AuthRequest, including one of another copy of this package (ESM and CommonJS). */
  static isAuthRequest(value: unknown): value is AuthRequest {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** @throws AuthError of kind `config` with all issues; none contains a value */
  static parse(input: AuthRequestInput): AuthRequest {
    return getRequest(AuthRequest.safeParse(input));
  }

  /** Like {@link AuthRequest.parse}, but returns the issues. */
  static safeParse(input: Partial<AuthRequestInput>): AuthRequestResult {
    return AuthRequest.#validate(input, findUnknownFields(input), {});
  }

  /**
   * Reads a request from `SCM_CLIENT_ID`, `SCM_CLIENT_SECRET`, `SCM_TSG_ID`, `SCM_SCOPE` and `SCM_TOKEN_URL`, otherwise
   * `SCM_AUTH_URL`. Blank variables count as unset.
   *
   * @param env - Default: `process.env`
   * @throws AuthError of kind `config`; its `issues` name the variables, and none contains a value
   */
  static fromEnv(env: Environment = process.env): AuthRequest {
    const { input, issues, names } = readEnvironment(env);
    return getRequest(AuthRequest.#validate(input, issues, names));
  }

  /**
   * Takes each field from `input`, otherwise from the environment as {@link AuthRequest.fromEnv} does. Empty fields count
   * as not given.
   *
   * @throws AuthError of kind `config`; its `issues` name each field as it was given, or its variable
   * @internal
   */
  static fromArgs(input: Partial<AuthRequestInput>, env: Environment = process.env): AuthRequest {
    const { input: fromEnvironment, issues, names } = completeFromEnvironment(input, env);
    const given = Object.entries(input).filter(([, value]: [string, unknown]) => value !== undefined && value !== "");
    const fields = { ...fromEnvironment, ...Object.fromEntries(given) };
    return getRequest(AuthRequest.#validate(fields, [...findUnknownFields(input), ...issues], names));
  }

  /**
   * @param knownIssues - issues found before
   * @param names - the user's names of fields, where they differ
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

/** The request that `value` is or describes. @throws AuthError of kind `config` */
export const toAuthRequest = (value: AuthRequest | AuthRequestInput): AuthRequest =>
  AuthRequest.isAuthRequest(value) ? value : AuthRequest.parse(value);

type FieldNames = Readonly<Partial<Record<FieldName, string>>>;

type CompleteFields = ParsedFields & Readonly<Record<"clientId" | "clientSecret" | "scope", string>>;

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

/** The fields that the scope is derived from. If one of them has an issue, the scope is not checked. */
const SCOPE_SOURCES: ReadonlySet<string> = new Set(["clientId", "tsgId", "scope"]);

/** The scope to request. */
function resolveScope({ clientId, tsgId, scope }: ParsedFields): ResolvedScope {
  if (scope === undefined) {
    const fromClientId = SERVICE_ACCOUNT_ID.exec(clientId ?? "")?.[1];
    const id = tsgId ?? fromClientId;
    if (id === undefined) {
      const message = "is required: the client ID does not contain a tenant";
      const hint = "Set the ID of the tenant service group (TSG), digits.";
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

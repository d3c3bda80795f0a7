import * as z from "zod/mini";
import type { Seconds } from "./clock.ts";
import type { Environment } from "./environment.ts";
import { configError } from "./errors.ts";
import type { AuthEventListener } from "./events.ts";
import { isHttpsOrLoopback } from "./http/tls.ts";
import { DEFAULTS, findOptionIssues, optionSchemas, type OptionSchema } from "./options.ts";

/** Options of {@link OAuth2Client}. Times are in seconds. */
export interface ClientOptions {
  /**
   * Maximum number of retries of a request after temporary failures, from 0 to 20. Default: `OAuth2Client.MAX_RETRIES`.
   */
  readonly maxRetries?: number | undefined;
  /** Backoff factor for the delays between retries, from 0 to 60. Default: `OAuth2Client.RETRY_BACKOFF`. */
  readonly retryBackoff?: Seconds | undefined;
  /**
   * Remaining lifetime below which a token is refreshed, from 0 to 86400. Default: `OAuth2Client.TOKEN_EXPIRY_BUFFER`.
   */
  readonly tokenExpiryBuffer?: Seconds | undefined;
  /** Time limit for one sign-in or one API request, including retries; more than 0, at most 3600. Default: 60. */
  readonly timeout?: Seconds | undefined;
  /** Whether token signatures are verified. Default: true. */
  readonly verify?: boolean | undefined;
  /**
   * Origin of the SCM API, over HTTPS unless it is on this machine. Default: `SCM_API_URL` from the environment;
   * otherwise the origin in `SCM_HOST`, `SCM_PORT`, and `SCM_PROTOCOL`, as for the `scm` providers of Terraform and
   * Pulumi; otherwise `https://api.strata.paloaltonetworks.com`.
   */
  readonly apiUrl?: string | undefined;
  /** Maximum size of an API response in bytes, from 1 to 500000000. Default: 64 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** Receives events. Exceptions thrown by the listener are ignored. */
  readonly onEvent?: AuthEventListener | undefined;
}

const API_HOST = "api.strata.paloaltonetworks.com";
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

const isOrigin = (value: unknown): boolean =>
  typeof value === "string" &&
  URL.canParse(value) &&
  isHttpsOrLoopback(new URL(value)) &&
  new URL(value).href === `${new URL(value).origin}/`;

const CLIENT_OPTIONS = {
  maxRetries: optionSchemas.maxRetries,
  retryBackoff: optionSchemas.retryBackoff,
  tokenExpiryBuffer: optionSchemas.tokenExpiryBuffer,
  timeout: optionSchemas.timeout,
  verify: optionSchemas.verify,
  apiUrl: (): OptionSchema => [z.custom(isOrigin), "an https origin without a path or credentials"],
  maxResponseBytes: (): OptionSchema => [z.int().check(z.gte(1), z.lte(500_000_000)), "an integer from 1 to 500000000"],
  onEvent: optionSchemas.onEvent,
} as const;
export const CLIENT_OPTION_NAMES: readonly string[] = Object.keys(CLIENT_OPTIONS);

/** The default constants of `OAuth2Client`, which a subclass may override. */
export interface ClientDefaults {
  readonly MAX_RETRIES: number;
  readonly RETRY_BACKOFF: Seconds;
  readonly TOKEN_EXPIRY_BUFFER: Seconds;
}

/**
 * Applies the defaults to the options.
 *
 * @throws AuthError of kind `config` with all issues
 */
export function resolveOptions(
  options: ClientOptions,
  { MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER }: ClientDefaults,
) {
  const apiUrl =
    options.apiUrl === undefined ? getDefaultApiUrl(process.env) : { field: "apiUrl", value: options.apiUrl };
  const settings = {
    maxRetries: options.maxRetries ?? MAX_RETRIES,
    retryBackoff: options.retryBackoff ?? RETRY_BACKOFF,
    tokenExpiryBuffer: options.tokenExpiryBuffer ?? TOKEN_EXPIRY_BUFFER,
    timeout: options.timeout ?? DEFAULTS.timeout,
    verify: options.verify ?? true,
    apiUrl: apiUrl.value,
    maxResponseBytes: options.maxResponseBytes ?? MAX_RESPONSE_BYTES,
    onEvent: options.onEvent,
  };
  const issues = findOptionIssues({ ...options, ...settings }, CLIENT_OPTIONS);
  if (issues.length > 0)
    throw configError(issues.map((issue) => (issue.field === "apiUrl" ? { ...issue, field: apiUrl.field } : issue)));
  return settings;
}

/**
 * The API's origin and the variable or option that specifies it. The `scm` providers build their URL from the same
 * variables (`Setup` in client.go of PaloAltoNetworks/scm-go). A scheme in `SCM_HOST` is accepted as well.
 */
function getDefaultApiUrl(env: Environment): { readonly field: string; readonly value: string } {
  const get = (name: string): string => env[name]?.trim() ?? "";
  if (get("SCM_API_URL") !== "") return { field: "SCM_API_URL", value: get("SCM_API_URL") };
  const host = get("SCM_HOST") || API_HOST;
  const port = get("SCM_PORT").replace(/^0$/, "");
  const origin = host.includes("://") ? host : `${get("SCM_PROTOCOL") || "https"}://${host}`;
  const names = ["SCM_PROTOCOL", "SCM_HOST", "SCM_PORT"].filter((name) => get(name) !== "");
  return { field: names.join(", ") || "apiUrl", value: port === "" ? origin : `${origin}:${port}` };
}

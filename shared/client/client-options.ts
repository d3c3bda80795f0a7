import type { Seconds } from "../clock.ts";
import { isSecure } from "../http/secure-url.ts";
import { CALL_RULES, isBetween, judgeOptions, type Rules } from "../report/call-options.ts";
import type { AuthEvent } from "../report/events.ts";

/** Options of OAuth2Client. Times are in seconds. */
export interface ClientOptions {
  /** Repeats of a request after a failure that may pass, 0 to 20. Default: `OAuth2Client.MAX_RETRIES`. */
  readonly maxRetries?: number | undefined;
  /** Scale of the waits between them, 0 to 60. Default: `OAuth2Client.RETRY_BACKOFF`. */
  readonly retryBackoff?: Seconds | undefined;
  /** Life left from which on a token is renewed, 0 to 86400. Default: `OAuth2Client.TOKEN_EXPIRY_BUFFER`. */
  readonly tokenExpiryBuffer?: Seconds | undefined;
  /** For one sign-in or call, repeats and waits included, above 0 to 3600. Default: 60. */
  readonly timeout?: Seconds | undefined;
  /** Whether signatures are proved. Default: true. */
  readonly verify?: boolean | undefined;
  /** Origin of the SCM API. Default: `https://api.strata.paloaltonetworks.com`. */
  readonly apiUrl?: string | undefined;
  /** Hears of events: `debug` for token operations, `error` for failures. What it throws is dropped. */
  readonly onEvent?: ((event: AuthEvent) => void) | undefined;
}

/** The options as they hold. */
export type ParsedOptions = {
  readonly [Name in Exclude<keyof ClientOptions, "apiUrl" | "onEvent">]-?: NonNullable<ClientOptions[Name]>;
} & { readonly apiUrl: URL; readonly onEvent: ClientOptions["onEvent"] };

/** The defaults that a subclass may override. */
interface Defaults {
  readonly MAX_RETRIES: number;
  readonly RETRY_BACKOFF: Seconds;
  readonly TOKEN_EXPIRY_BUFFER: Seconds;
}

const API_URL = "https://api.strata.paloaltonetworks.com";
const TIMEOUT: Seconds = 60;

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return isSecure(url) && url.href === `${url.origin}/`;
}

/** What each option must be. */
const RULES: Rules<ClientOptions> = {
  maxRetries: CALL_RULES.maxRetries,
  retryBackoff: [(value) => isBetween(value, 0, 60), "a number of seconds from 0 to 60"],
  tokenExpiryBuffer: [(value) => isBetween(value, 0, 86_400), "a number of seconds from 0 to 86400"],
  timeout: CALL_RULES.timeout,
  verify: CALL_RULES.verify,
  apiUrl: [
    (value) => typeof value === "string" && isOrigin(value),
    "the https origin of the API alone, without path or credentials",
  ],
  onEvent: CALL_RULES.onEvent,
};

/** @throws AuthError of kind `config` with every problem */
export function parseOptions(options: ClientOptions, defaults: Defaults): ParsedOptions {
  const all = {
    maxRetries: options.maxRetries ?? defaults.MAX_RETRIES,
    retryBackoff: options.retryBackoff ?? defaults.RETRY_BACKOFF,
    tokenExpiryBuffer: options.tokenExpiryBuffer ?? defaults.TOKEN_EXPIRY_BUFFER,
    timeout: options.timeout ?? TIMEOUT,
    verify: options.verify ?? true,
    apiUrl: options.apiUrl ?? API_URL,
    onEvent: options.onEvent,
  };
  // Unknown names come from the options, all else as it holds.
  judgeOptions({ ...options, ...all }, RULES);
  return { ...all, apiUrl: new URL(all.apiUrl) };
}

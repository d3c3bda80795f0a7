import * as z from "zod/mini";
import type { Seconds } from "../clock.ts";
import { isSecure } from "../http/secure-url.ts";
import { configError } from "../report/errors.ts";
import type { AuthEvent } from "../report/events.ts";
import type { Problem } from "../report/fields.ts";
import { printable } from "../report/printable.ts";

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
export interface ParsedOptions extends Required<Omit<ClientOptions, "apiUrl" | "onEvent">> {
  readonly maxRetries: number;
  readonly retryBackoff: Seconds;
  readonly tokenExpiryBuffer: Seconds;
  readonly timeout: Seconds;
  readonly verify: boolean;
  readonly apiUrl: URL;
  readonly onEvent: ClientOptions["onEvent"];
}

/** The defaults that a subclass may override. */
interface Defaults {
  readonly MAX_RETRIES: number;
  readonly RETRY_BACKOFF: Seconds;
  readonly TOKEN_EXPIRY_BUFFER: Seconds;
}

const API_URL = "https://api.strata.paloaltonetworks.com";
const TIMEOUT: Seconds = 60;

const between = (least: number, most: number) => z.number().check(z.gte(least), z.lte(most));

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return isSecure(url) && url.href === `${url.origin}/`;
}

/** What each option must be, as a schema and in words. */
const OPTIONS = {
  maxRetries: [between(0, 20).check(z.multipleOf(1)), "a whole number from 0 to 20"],
  retryBackoff: [between(0, 60), "a number of seconds from 0 to 60"],
  tokenExpiryBuffer: [between(0, 86_400), "a number of seconds from 0 to 86400"],
  timeout: [z.number().check(z.gt(0), z.lte(3600)), "a number of seconds above 0, up to 3600"],
  verify: [z.boolean(), "true or false"],
  apiUrl: [z.string().check(z.refine(isOrigin)), "the https origin of the API alone, without path or credentials"],
  onEvent: [z.optional(z.custom((value) => typeof value === "function")), "a function"],
} as const satisfies Readonly<Record<keyof ClientOptions, readonly [z.ZodMiniType, string]>>;

/** What tests pass beside the options. */
const SEAMS: ReadonlySet<string> = new Set(["clock", "random"]);

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
  const problems = Object.entries(OPTIONS).flatMap(([field, [schema, words]]): readonly Problem[] =>
    schema.safeParse(all[field as keyof typeof all]).success
      ? []
      : [{ field, reason: `is not ${words}`, hint: `Give ${words}.` }],
  );
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(all, name) && !SEAMS.has(name));
  const hint = `Known are ${Object.keys(OPTIONS).join(", ")}.`;
  const foreign = unknown.map((name): Problem => ({ field: printable(name, 60), reason: "is no option", hint }));
  if (problems.length + foreign.length > 0) throw configError([...problems, ...foreign]);
  return { ...all, apiUrl: new URL(all.apiUrl) };
}

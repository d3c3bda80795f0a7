import type { Milliseconds } from "../../shared/clock.ts";
import { timeSpan } from "../../shared/report/time-span.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";
import { decodeJws, isJws } from "../../shared/token/jws.ts";
import { tenantsOf } from "../../shared/token/scope.ts";
import { version } from "../../shared/version.ts";
import type { Fact } from "./diagnosis.ts";
import { joined, ours, phrase, type Phrase } from "./phrase.ts";
import type { Seen } from "./sign-in.ts";

/** A `Date` header has whole seconds, and travels: less than that is no difference. */
const SAME_TIME: Milliseconds = 2000;
/** A token has a dozen claims; more is somebody's joke. */
const MOST_NAMES = 40;

const NO_TOKEN = ours("not known: no token came");

/** What is told beside the steps. Of a token's claims the names alone, but for its times and tenants. */
export function factsOf(
  request: AuthRequest,
  seen: Seen,
  env: Readonly<Record<string, string | undefined>>,
): readonly Fact[] {
  const { kid, claims } = contentOf(seen);
  // Whoever reads it must not take the word of a token that failed its proof.
  const unsure = (seen.token ?? !seen.answered) ? phrase`` : phrase` (so the token says, which is not proved)`;
  return [
    { name: "Clock", found: clock(seen) },
    { name: "Token lifetime", found: seen.answered ? phrase`${lifetime(seen, claims)}${unsure}` : NO_TOKEN },
    { name: "Tenant asked", found: names(request.tenants, "none: the scope names none") },
    { name: "Tenant granted", found: seen.answered ? phrase`${granted(seen, claims)}${unsure}` : NO_TOKEN },
    { name: "Names of claims", found: claimNames(seen, claims) },
    {
      name: "Key id",
      found: seen.answered ? (kid === undefined ? ours("the token names none") : phrase`${kid}`) : NO_TOKEN,
    },
    { name: "Key URL", found: phrase`${request.jwksUrl.href}` },
    { name: "Token URL", found: phrase`${request.tokenUrl.href}` },
    { name: "Versions", found: versions(env) },
  ];
}

interface Content {
  readonly kid?: string | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** What the token says, believed or not; nothing of one that can't be read. */
function contentOf({ answered }: Seen): Content {
  if (!answered || !isJws(answered.accessToken)) return {};
  try {
    const { kid, payload } = decodeJws(answered.accessToken);
    const isObject = typeof payload === "object" && payload !== null && !Array.isArray(payload);
    return { kid, claims: isObject ? (payload as Record<string, unknown>) : undefined };
  } catch {
    // The step "verify" tells why.
    return {};
  }
}

function clock({ tokenAnswer, keysAnswer }: Seen): Phrase {
  const offset = tokenAnswer?.clockOffset ?? keysAnswer?.clockOffset;
  if (offset === undefined) return ours("not known: no answer told the server's time");
  if (Math.abs(offset) <= SAME_TIME) return ours("this machine and the server agree within 2 s");
  const direction = offset < 0 ? "behind" : "ahead of";
  return phrase`the server is ${ours(timeSpan(Math.abs(offset)))} ${ours(direction)} this machine`;
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function lifetime({ answered }: Seen, claims: Content["claims"]): Phrase {
  const byAnswer = answered?.expiresIn;
  const { exp, iat } = claims ?? {};
  const told = [
    ...(byAnswer === undefined ? [] : [`${timeSpan(byAnswer * 1000)} by the answer (expires_in)`]),
    ...(isNumber(exp) && isNumber(iat) ? [`${timeSpan((exp - iat) * 1000)} by the token (exp less iat)`] : []),
  ];
  return ours(told.length === 0 ? "neither the answer nor the token tells" : told.join(", "));
}

/** By the token's own scope; by the answer's where the token is opaque (RFC 6749 section 5.1). */
function granted({ token, answered }: Seen, claims: Content["claims"]): Phrase {
  const said = token?.scope ?? claims?.["scope"] ?? answered?.scope ?? "";
  const words = typeof said === "string" ? said.split(" ") : Array.isArray(said) ? said.map(String) : [];
  return names(tenantsOf(words), "none");
}

const claimNames = ({ answered }: Seen, claims: Content["claims"]): Phrase =>
  claims ? names(Object.keys(claims), "none") : answered ? ours("none that can be read") : NO_TOKEN;

function names(all: readonly string[], none: string): Phrase {
  if (all.length === 0) return ours(none);
  const rest = all.length - MOST_NAMES;
  const shown = joined(
    all.slice(0, MOST_NAMES).map((name) => phrase`${name}`),
    ", ",
  );
  return rest > 0 ? phrase`${shown} and ${rest} more` : shown;
}

/** The runner's own variables; those that are not set are left out. */
function versions(env: Readonly<Record<string, string | undefined>>): Phrase {
  const set = (...variables: readonly string[]): readonly string[] =>
    variables.map((name) => env[name] ?? "").filter((value) => value !== "");
  const runner = set("RUNNER_OS", "RUNNER_ARCH", "RUNNER_ENVIRONMENT").join(" ");
  const image = set("ImageOS", "ImageVersion").join(" ");
  return joined(
    [
      ours(`scm-auth ${version}`),
      phrase`node ${process.version} on ${`${process.platform} ${process.arch}`}`,
      ...(runner === "" ? [] : [phrase`runner ${runner}`]),
      ...(image === "" ? [] : [phrase`image ${image}`]),
    ],
    ", ",
  );
}

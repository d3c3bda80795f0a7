import type { Diagnosis } from "../action/check/diagnosis.ts";
import type { Seen } from "../action/check/sign-in.ts";
import type { AuthRequest } from "../shared/token/auth-request.ts";
import { decodeJws, isJws } from "../shared/token/jws.ts";
import { tenantsOf } from "../shared/token/scope.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** What came of a sign-in and of one call, for the assumptions to be held against. */
export interface Evidence {
  readonly request: AuthRequest;
  readonly diagnosis: Diagnosis;
  readonly seen: Seen;
  /** The token answer's body; empty when it was no JSON object. */
  readonly answer: JsonObject;
  /** The token's header and claims; empty when it is no JWT. */
  readonly header: { readonly alg?: string; readonly kid?: string | undefined };
  readonly claims: JsonObject;
  /** What the API answered to the call for a list; undefined when it was not made. */
  readonly list: unknown;
}

/** Something that this project takes for granted of the service, though nobody here has seen it. */
interface Assumption {
  readonly what: string;
  readonly holds: (evidence: Evidence) => boolean;
  /** What there is instead, or in particular. Never a token, a signature or a secret. */
  readonly saw: (evidence: Evidence) => string;
}

/** The kind of a value as JSON has it, and of what a list is made. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `list of ${[...new Set(value.map(kindOf))].join(" and ") || "nothing"}`;
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return { string: "text", object: "object" }[typeof value as string] ?? typeof value;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === "number";
const textOf = (value: unknown): string => (typeof value === "string" ? value : kindOf(value));

const span = ({ exp, iat }: JsonObject): number => (isNumber(exp) && isNumber(iat) ? exp - iat : Number.NaN);

/** The claims that a token of SCM's has, by the one that was published. */
const KINDS: Readonly<Record<string, string>> = {
  sub: "text",
  iss: "text",
  aud: "text",
  scope: "list of text",
  nbf: "number",
  iat: "number",
  exp: "number",
  cts: "text",
  realm: "text",
};

/** Longer than the first try of a request may take where many jobs sign in at once, in milliseconds. */
const SLOW = 5000;

/** THE table, held against the service by `npm run live` (docs/check.md). */
const ASSUMPTIONS: readonly Assumption[] = [
  {
    what: "token_type is Bearer",
    holds: ({ answer }) => /^bearer$/i.test(textOf(answer["token_type"])),
    saw: ({ answer }) => textOf(answer["token_type"]),
  },
  {
    what: "expires_in is a number, 14 to 16 minutes",
    holds: ({ answer: { expires_in: life } }) => isNumber(life) && life >= 840 && life <= 960,
    saw: ({ answer: { expires_in: life } }) => (isNumber(life) ? `${life} s` : kindOf(life)),
  },
  {
    what: "the answer's own scope is text, or missing",
    holds: ({ answer }) => ["text", "missing"].includes(kindOf(answer["scope"])),
    saw: ({ answer }) => kindOf(answer["scope"]),
  },
  {
    what: "the token is a JWT, signed RS256, that names its key",
    holds: ({ header }) => header.alg === "RS256" && header.kid !== undefined,
    saw: ({ header }) => `alg ${header.alg ?? "missing"}, kid of ${header.kid?.length ?? 0} characters`,
  },
  ...Object.entries(KINDS).map(([name, kind]): Assumption => ({
    what: `the claim ${name} is ${kind}`,
    holds: ({ claims }) => kindOf(claims[name]) === kind,
    saw: ({ claims }) => kindOf(claims[name]),
  })),
  {
    what: "aud is the client id",
    holds: ({ claims, request }) => claims["aud"] === request.clientId,
    saw: ({ claims, request }) => (claims["aud"] === request.clientId ? "the client id" : "another"),
  },
  {
    what: "iss names its port, :443",
    holds: ({ claims }) => /^https:\/\/[^/:]+:443\//.test(textOf(claims["iss"])),
    saw: ({ claims }) => textOf(claims["iss"]),
  },
  {
    what: "cts is OAUTH2_STATELESS_GRANT",
    holds: ({ claims }) => claims["cts"] === "OAUTH2_STATELESS_GRANT",
    saw: ({ claims }) => textOf(claims["cts"]),
  },
  {
    what: "the scope grants the tenant asked for, and no other",
    holds: ({ seen, request }) => grantedTo(seen).join() === request.tenants.join(),
    saw: ({ seen }) => grantedTo(seen).join(", ") || "none",
  },
  {
    what: "exp less iat is expires_in, within 5 s",
    holds: ({ answer: { expires_in: life }, claims }) => isNumber(life) && Math.abs(life - span(claims)) <= 5,
    saw: ({ claims }) => `${span(claims)} s`,
  },
  {
    what: "both answers tell the time (Date), within 30 s of ours",
    holds: ({ seen }) => offsets(seen).every((offset) => offset !== undefined && Math.abs(offset) <= 30_000),
    saw: ({ seen }) =>
      offsets(seen)
        .map((offset) => (offset === undefined ? "not told" : `${Math.round(offset / 1000)} s`))
        .join(", "),
  },
  {
    what: "the key URL gives RSA keys that all have a name",
    holds: ({ seen: { keys = [] } }) => keys.length > 0 && keys.every(({ kid }) => kid !== undefined),
    saw: ({ seen: { keys = [] }, request }) => `${keys.length} at ${request.jwksUrl.href}`,
  },
  {
    what: "one of them signed the token, and all claims are right",
    holds: ({ seen }) => seen.token?.key !== undefined,
    saw: ({ seen }) => (seen.token?.key ? "proved" : "not proved"),
  },
  {
    what: "token and keys come within 5 s each",
    holds: ({ diagnosis }) => times(diagnosis).every((time) => time !== undefined && time < SLOW),
    saw: ({ diagnosis }) =>
      times(diagnosis)
        .map((time) => (time === undefined ? "not at all" : `${Math.round(time)} ms`))
        .join(", "),
  },
  {
    what: "the API takes the token, and a list has data, offset, total and limit",
    holds: ({ list }) =>
      isObject(list) &&
      Array.isArray(list["data"]) &&
      ["offset", "total", "limit"].every((name) => isNumber(list[name])),
    saw: ({ list }) =>
      isObject(list)
        ? Object.entries(list)
            .map(([name, value]) => `${name}: ${Array.isArray(value) ? "list" : kindOf(value)}`)
            .join(", ")
        : kindOf(list),
  },
];

const grantedTo = ({ token }: Seen): readonly string[] => tenantsOf((token?.scope ?? "").split(" "));
const offsets = ({ tokenAnswer, keysAnswer }: Seen) => [tokenAnswer?.clockOffset, keysAnswer?.clockOffset];
const times = (diagnosis: Diagnosis) => [diagnosis.took("token"), diagnosis.took("keys")];

/** An assumption, whether it held, and what was seen. */
export interface Finding {
  readonly what: string;
  readonly held: boolean;
  readonly saw: string;
}

/** Holds every assumption against what was seen. */
export const judge = (evidence: Evidence): readonly Finding[] =>
  ASSUMPTIONS.map(({ what, holds, saw }) => ({ what, held: holds(evidence), saw: saw(evidence) }));

/** Names of claims that no assumption is about. */
export const unknownClaims = ({ claims }: Evidence): readonly string[] =>
  Object.keys(claims).filter((name) => !Object.hasOwn(KINDS, name));

/** Takes apart what came, as far as it can be. */
export function evidenceOf(parts: Pick<Evidence, "request" | "diagnosis" | "seen" | "list">): Evidence {
  const { answered, tokenAnswer } = parts.seen;
  const body = attempt(() => JSON.parse(tokenAnswer?.body ?? "") as unknown);
  const token = answered?.accessToken ?? "";
  const decoded = isJws(token) ? attempt(() => decodeJws(token)) : undefined;
  const { payload, ...header } = decoded ?? { payload: undefined };
  return {
    ...parts,
    answer: isObject(body) ? body : {},
    header,
    claims: isObject(payload) ? payload : {},
  };
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

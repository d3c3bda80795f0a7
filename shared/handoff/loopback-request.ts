import { scopeSet } from "../token/scope.ts";
import { CHALLENGE, errorAnswer, type LoopbackAnswer } from "./loopback-answer.ts";
import { basicReadings, bearerOf, pair, type LoopbackCredentials } from "./loopback-credentials.ts";
import { LOOPBACK_ADDRESS, LOOPBACK_END_PATH, LOOPBACK_TOKEN_PATH } from "./loopback-url.ts";

/** The largest body read, in bytes: a form with the longest secret and scope that anyone has. */
export const LARGEST_FORM = 16 * 1024;

/** A request without its body. */
export interface RequestHead {
  readonly method: string;
  /** As it stands in the request line (RFC 9112 section 3.2). */
  readonly target: string;
  /** Each header's values, as often as it was sent, under its name in lower case. */
  readonly headers: Readonly<Partial<Record<string, readonly string[]>>>;
}

/** What the endpoint is there for. */
export type Purpose = "token" | "end";

const PURPOSE: Readonly<Record<string, Purpose>> = Object.freeze({
  [LOOPBACK_TOKEN_PATH]: "token",
  [LOOPBACK_END_PATH]: "end",
});

/** What only a browser or a proxy adds: a page or another machine asks, and none of them is a client of ours. */
const FOREIGN_HEADERS = ["origin", "via", "forwarded", "x-forwarded-for"];
/** What may stand once, since of two nobody knows which one holds. */
const SINGLE_HEADERS = ["host", "authorization", "content-type", "content-length"];

interface Rule {
  readonly broken: (head: RequestHead, port: number) => boolean;
  readonly status: number;
  readonly says: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const values = ({ headers }: RequestHead, name: string): readonly string[] => headers[name] ?? [];
const isForm = (head: RequestHead): boolean =>
  /^application\/x-www-form-urlencoded *(;|$)/i.test(values(head, "content-type")[0] ?? "");

/** The first rule broken decides. None of them looks at a secret. */
const RULES: readonly Rule[] = [
  {
    broken: (head) => SINGLE_HEADERS.some((name) => values(head, name).length > 1),
    status: 400,
    says: "a header stands there twice",
  },
  {
    broken: (head, port) => values(head, "host")[0] !== `${LOOPBACK_ADDRESS}:${port}`,
    status: 421,
    says: "the Host is another one",
  },
  {
    broken: (head) => FOREIGN_HEADERS.some((name) => values(head, name).length > 0),
    status: 403,
    says: "requests of web pages and through proxies are not answered",
  },
  { broken: ({ target }) => !Object.hasOwn(PURPOSE, target), status: 404, says: "there is nothing at this path" },
  { broken: ({ method }) => method !== "POST", status: 405, says: "only POST is answered", headers: { allow: "POST" } },
  {
    broken: (head) => PURPOSE[head.target] === "token" && !isForm(head),
    status: 415,
    says: "the Content-Type must be application/x-www-form-urlencoded",
  },
  {
    broken: (head) => values(head, "content-encoding").length > 0,
    status: 415,
    says: "a Content-Encoding is not understood",
  },
  {
    broken: (head) => Number(values(head, "content-length")[0] ?? 0) > LARGEST_FORM,
    status: 413,
    says: "the body is too large",
  },
];

/** What a body past {@link LARGEST_FORM} is answered with when its length was not told before. */
export const tooLarge = (): LoopbackAnswer => errorAnswer(413, "invalid_request", "the body is too large");

/** A request that is no other than it should be, or what to answer. */
export type Judged<T> =
  { readonly is: "right"; readonly value: T } | { readonly is: "wrong"; readonly answer: LoopbackAnswer };

const wrong = (answer: LoopbackAnswer): { readonly is: "wrong"; readonly answer: LoopbackAnswer } => ({
  is: "wrong",
  answer,
});

/** What a request is for, by its head alone: nothing of the body need be read for a request that is none of ours. */
export function judgeHead(head: RequestHead, port: number): Judged<Purpose> {
  const rule = RULES.find(({ broken }) => broken(head, port));
  if (rule) return wrong(errorAnswer(rule.status, "invalid_request", rule.says, rule.headers));
  return { is: "right", value: PURPOSE[head.target] ?? "token" };
}

/** Parameters of a token request (RFC 6749 section 4.4.2 and 2.3.1). */
const PARAMETERS = ["grant_type", "scope", "client_id", "client_secret"] as const;

/**
 * Whether a token request may have the token: its credentials first, so that nobody without them learns anything,
 * then grant and scope. Without a scope the file's own is meant (RFC 6749 section 3.3).
 */
export function judgeTokenRequest(
  head: RequestHead,
  body: string,
  known: { readonly credentials: LoopbackCredentials; readonly scope: string },
): Judged<undefined> {
  const form = new URLSearchParams(body);
  const invalid = (says: string): Judged<undefined> => wrong(errorAnswer(400, "invalid_request", says));
  const twice = PARAMETERS.find((name) => form.getAll(name).length > 1);
  if (twice !== undefined) return invalid(`${twice} stands there twice`);
  const authorization = values(head, "authorization")[0];
  const secret = form.get("client_secret") ?? "";
  if (authorization !== undefined && secret !== "") return invalid("there are two kinds of credentials");
  const readings =
    authorization === undefined ? [pair(form.get("client_id") ?? "", secret)] : basicReadings(authorization);
  if (!known.credentials.isClient(readings)) {
    return wrong(errorAnswer(401, "invalid_client", WRONG_CLIENT, CHALLENGE));
  }
  if (form.get("grant_type") !== "client_credentials") {
    return wrong(errorAnswer(400, "unsupported_grant_type", "only client_credentials is granted here"));
  }
  const scope = scopeSet(form.get("scope") ?? "");
  if (scope !== "" && scope !== scopeSet(known.scope)) {
    return wrong(errorAnswer(400, "invalid_scope", `the token at hand is for another scope: ${known.scope}`));
  }
  return { is: "right", value: undefined };
}

const WRONG_CLIENT =
  "client id or secret is neither that of the auth file nor that of the sign-in behind it. hint: look for SCM_CLIENT_ID and SCM_CLIENT_SECRET in the environment, which stand before the file.";

/** Whether the end may be asked for: with the job's own secret as a bearer token, which only the file tells. */
export const judgeEnd = (head: RequestHead, credentials: LoopbackCredentials): Judged<undefined> =>
  credentials.isJob(bearerOf(values(head, "authorization")[0] ?? "") ?? "")
    ? { is: "right", value: undefined }
    : wrong(errorAnswer(401, "invalid_token", "this is not the job's secret", { "www-authenticate": "Bearer" }));

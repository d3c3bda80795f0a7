import type { Act } from "./job.ts";
import {
  forged,
  honest,
  keySet,
  nobody,
  redirecting,
  scm,
  scmWithForm,
  scripted,
  tags,
  unsigned,
  type Setting,
} from "./stage.ts";
import type { Fields } from "./stage.ts";

/** One row of the table. */
export interface Scene {
  /** What is so, in the reader's words. */
  readonly name: string;
  readonly act: Act;
  readonly setting: Setting;
  /** What the user gives otherwise, in our names. */
  readonly fields?: Fields;
  /** Seconds to wait after the sign-in. */
  readonly wait?: number;
  /** Seconds that the process's clocks are put forward after the sign-in. */
  readonly ahead?: number;
  /** Seconds after which we look no longer. Default: 60. */
  readonly patience?: number;
  /** Whether the server's authority is not given to the clients. */
  readonly untrusted?: true;
}

const WRONG_SECRET = { clientSecret: "00000000-0000-4000-8000-000000000000" };
const BAD_FIELDS = { clientId: "", clientSecret: "two\nlines", tsgId: "abc", tokenUrl: "ftp://auth.scm.test/x" };
const REFUSED_CALL = { status: 401, body: { _errors: [{ code: "E016", message: "Invalid Credential" }] } };
const PAGE = { headers: { "content-type": "text/html" }, body: "<!doctype html><title>Sign in to the network</title>" };

/** THE table: each scene is played by both sides. */
export const scenes: readonly Scene[] = [
  { name: "sign-in", act: "signIn", setting: scm() },
  { name: "fields of the token request's form", act: "signIn", setting: scmWithForm },
  { name: "wrong secret", act: "signIn", setting: scm({}, WRONG_SECRET) },
  {
    name: "a field that there is not (`token_uri`)",
    act: "build",
    setting: nobody,
    fields: { tokenUri: "https://x.test/" },
  },
  { name: "four bad fields at once", act: "build", setting: nobody, fields: BAD_FIELDS },
  {
    name: "429 with `Retry-After: 2`, then fine",
    act: "signIn",
    setting: scripted([{ status: 429, headers: { "retry-after": "2" } }, honest()]),
  },
  {
    name: "500 three times, then fine",
    act: "signIn",
    setting: scripted([...Array<object>(3).fill({ status: 500 }), honest()]),
  },
  {
    name: "keys: 500 once, then fine",
    act: "signIn",
    setting: scripted(honest(), { keys: [{ status: 500 }, keySet] }),
  },
  { name: "connection refused", act: "signIn", setting: nobody },
  { name: "connected, but no answer", act: "signIn", setting: scripted({ hang: true }), patience: 180 },
  {
    name: "token answer cut after 40 bytes, each time",
    act: "signIn",
    setting: scripted(() => ({ ...honest()(), destroyAfterBytes: 40 })),
  },
  { name: "a web page in place of the token", act: "signIn", setting: scripted(PAGE) },
  { name: "307 to another host", act: "signIn", setting: redirecting },
  { name: "certificate of an unknown authority", act: "signIn", setting: scm(), untrusted: true },
  { name: "fourth example, connection refused", act: "branch", setting: nobody },
  { name: "fourth example, 500 each time", act: "branch", setting: scripted({ status: 500 }) },
  { name: "fourth example, wrong secret", act: "branch", setting: scm({}, WRONG_SECRET) },
  { name: "ten callers at once before the first token (1)", act: "coldCallers", setting: scm() },
  { name: "ten API calls at once, the token has ended", act: "lateCallers", setting: scm({ ttl: 3 }), wait: 3.5 },
  { name: "250 s left of 900 s", act: "renew", setting: scm(), ahead: 650 },
  { name: "a new token that lives 200 s", act: "renew", setting: scm({ ttl: 200 }) },
  { name: "the token has ended", act: "inspect", setting: scm({ ttl: 2 }), wait: 2.5 },
  {
    name: "our clock is 60 s behind the server's",
    act: "inspect",
    setting: scripted(honest({ ahead: 60 })),
  },
  { name: "token signed by another key", act: "inspect", setting: scripted(forged) },
  { name: "token with `alg: none`", act: "inspect", setting: scripted(unsigned) },
  { name: "token for another client (`aud`)", act: "inspect", setting: scripted(honest({ claims: { aud: "other" } })) },
  { name: "token for another tenant", act: "inspect", setting: scripted(honest({ claims: { scope: ["tsg_id:99"] } })) },
  {
    name: "token that is no JWT",
    act: "inspect",
    setting: scripted(honest({ answer: { access_token: "opaque-token-of-no-shape" } })),
  },
  {
    name: "API call answered 401 once, then fine",
    act: "call",
    setting: scripted(honest(), { other: [REFUSED_CALL, tags(1)] }),
  },
  { name: "list of 5 tags, 2 a page", act: "list", setting: scripted(honest(), { other: tags(5) }) },
  {
    name: "list of 5 tags, 2 asked for, the server gives 1 a page",
    act: "list",
    setting: scripted(honest(), { other: tags(5, 1) }),
  },
  { name: "what is logged at DEBUG (2)", act: "debug", setting: scm() },
  { name: "what client, request and session print", act: "print", setting: scm() },
];

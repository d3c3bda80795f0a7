import { randomUUID } from "node:crypto";
import { makeCertificates } from "../support/certificate.ts";
import { KEYS_PATH, TOKEN_PATH } from "../support/scm-provider.ts";
import { startScmServer, type ScmServerOptions } from "../support/scm-server.ts";
import {
  startScriptedServer,
  type Script,
  type ScriptedAnswer,
  type ScriptedHandler,
} from "../support/scripted-server.ts";
import { honestClaims, makeSigner, type JsonObject } from "../support/tokens.ts";

/** What a sign-in is made of, in our names. */
export type Fields = Readonly<Record<string, string>>;

/** Where one side plays one scene: a server of its own over TLS, alike for both. */
export interface Stage {
  readonly fields: Fields;
  readonly apiUrl: string;
  /** What the server saw, as short phrases. */
  readonly seen: () => readonly string[];
  readonly close: () => Promise<void>;
}

/** Makes a stage. */
export type Setting = () => Promise<Stage>;

/** For all servers, so that both sides trust them by one file. */
export const tls = await makeCertificates();

const signer = await makeSigner();
const stranger = await makeSigner({ kid: signer.kid });
const CLIENT_ID = "ci@1234567890.iam.panserviceaccount.com";
const TSG_ID = "1234567890";

const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? "" : "s"}`;

/** How often each path was asked for, by the paths in order. */
function requestsSeen(paths: readonly string[]): string {
  const to = (path: string): number => paths.filter((one) => one.split("?", 1)[0] === path).length;
  const token = to(TOKEN_PATH);
  const keys = to(KEYS_PATH);
  const calls = paths.length - token - keys;
  const counted = [
    ...(token > 0 ? [count(token, "token request")] : []),
    ...(keys > 0 ? [count(keys, "key request")] : []),
    ...(calls > 0 ? [count(calls, "API call")] : []),
  ];
  return counted.length === 0 ? "no request" : counted.join(", ");
}

/** The tests' server shaped like SCM's: a certified OpenID provider and a small API. */
export const scm =
  (options: ScmServerOptions = {}, change: Fields = {}): Setting =>
  async () => {
    const server = await startScmServer({ tls, ...options });
    const { clientId, clientSecret, tsgId, tokenUrl, apiUrl, requests } = server;
    return {
      fields: { clientId, clientSecret, tsgId, tokenUrl, ...change },
      apiUrl,
      seen: () => [requestsSeen(requests.map(({ path }) => path))],
      close: server.close,
    };
  };

/** The same server, and which fields the form of a token request had. */
export const scmWithForm: Setting = async () => {
  const server = await startScmServer({ tls });
  const { clientId, clientSecret, tsgId, tokenUrl, apiUrl, requests } = server;
  return {
    fields: { clientId, clientSecret, tsgId, tokenUrl },
    apiUrl,
    seen: () => requests.flatMap(({ form }) => (form === undefined ? [] : [Object.keys(form).sort().join(", ")])),
    close: server.close,
  };
};

/** A server that answers what the scene says. */
export const scripted =
  (
    token: Script,
    { keys = keySet, other = tags(1) }: { readonly keys?: Script; readonly other?: Script } = {},
  ): Setting =>
  async () => {
    const server = await startScriptedServer({ token, keys, other, tls });
    return {
      fields: { clientId: CLIENT_ID, clientSecret: randomUUID(), tsgId: TSG_ID, tokenUrl: server.tokenUrl },
      apiUrl: server.origin,
      seen: () => [requestsSeen(server.requests.map(({ path }) => path))],
      close: server.close,
    };
  };

/** Nobody listens. */
export const nobody: Setting = async () => {
  const stage = await scripted({})();
  await stage.close();
  return { ...stage, close: () => Promise.resolve() };
};

/** A server that sends token requests on to another host with a 307, which keeps method and body. */
export const redirecting: Setting = async () => {
  const other = await startScriptedServer({ token: honest(), keys: keySet, tls });
  const location = other.tokenUrl.replace("127.0.0.1", "localhost");
  const stage = await scripted({ status: 307, headers: { location } })();
  const { clientSecret = "" } = stage.fields;
  return {
    ...stage,
    seen: () => {
      const got = other.requests;
      const bearing = got.filter(({ body }) => body.includes(clientSecret)).length;
      return [...stage.seen(), `the other host got ${count(got.length, "request")}, ${bearing} with the secret`];
    },
    close: async () => {
      await other.close();
      await stage.close();
    },
  };
};

/** The right key set. */
export const keySet: ScriptedAnswer = { body: { keys: [signer.jwk] } };

/** A token answer of a server whose clock is `ahead` seconds before ours; `claims` and `answer` change what is honest. */
export const honest =
  ({ ahead = 0, claims = {}, answer = {} }: TokenWishes = {}): (() => ScriptedAnswer) =>
  () => ({
    headers: { date: new Date(Date.now() + ahead * 1000).toUTCString() },
    body: {
      access_token: signer.sign({ ...claimsFrom(ahead), ...claims }),
      token_type: "Bearer",
      expires_in: 899,
      ...answer,
    },
  });

interface TokenWishes {
  readonly ahead?: number;
  readonly claims?: JsonObject;
  readonly answer?: JsonObject;
}

const claimsFrom = (ahead: number) =>
  honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID, now: Date.now() / 1000 + ahead });

/** A token under the right key's name, signed by another key. */
export const forged = (): ScriptedAnswer => honest({ answer: { access_token: stranger.sign(claimsFrom(0)) } })();

/** A token that says it needs no signature. */
export function unsigned(): ScriptedAnswer {
  const [header, payload] = signer.sign(claimsFrom(0), { alg: "none" }).split(".");
  return honest({ answer: { access_token: `${header ?? ""}.${payload ?? ""}.` } })();
}

/** A list of `total` tags, in pages as long as asked for, and at most `most`. */
export function tags(total: number, most = Infinity): ScriptedHandler {
  const all = Array.from({ length: total }, (_, index) => ({ id: randomUUID(), name: `tag-${index}`, folder: "All" }));
  return ({ path }) => {
    const query = new URL(path, "https://api.invalid").searchParams;
    const offset = Number(query.get("offset") ?? 0);
    const limit = Math.min(Number(query.get("limit") ?? 200), most);
    return { body: { data: all.slice(offset, offset + limit), offset, total, limit } };
  };
}

import assert from "node:assert/strict";

import type { ScriptedAnswer, ScriptedHandler } from "../support/scripted-server.ts";
import { answerWith, claims, keySet, page, refusal, SECRET, signer, stranger } from "./cast.ts";
import { fails, ONCE, signsIn, type Part, type Requests, type Scene } from "./scene.ts";

/** A secret with all that the encoders below treat specially. */
const RICH = `S3cr&t"<k>'/+=\\é$ %41:Zq9f27c1aa`;

const hex = (text: string): string => Buffer.from(text).toString("hex");
const upperOdd = (text: string): string => text.replace(/[a-f]/g, (c, at: number) => (at % 2 ? c.toUpperCase() : c));
const base64 = (text: string, encoding: "base64" | "base64url" = "base64"): string =>
  Buffer.from(text).toString(encoding);
const each = (text: string, write: (unit: number) => string): string =>
  text.replace(/[^]/g, (unit) => write(unit.charCodeAt(0)));
const unicode = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`;
const percent = (text: string): string => hex(text).replace(/../g, "%$&");

/** How a server, a gateway or a library on the way may write down what it was sent. */
const FORMS: Readonly<Record<string, (secret: string) => string>> = {
  "as it is": (secret) => secret,
  "in capitals": (secret) => secret.toUpperCase(),
  "in small letters": (secret) => secret.toLowerCase(),
  "in quotes": (secret) => JSON.stringify(secret),
  "in quotes within quotes": (secret) => JSON.stringify(JSON.stringify(secret)),
  "in JSON escapes": (secret) => each(secret, unicode),
  "in JSON escapes with capitals": (secret) =>
    each(secret, (unit) => unicode(unit).toUpperCase().replaceAll("\\U", "\\u")),
  "in JSON escapes as PHP writes them": (secret) =>
    JSON.stringify(secret)
      .slice(1, -1)
      .replaceAll("/", "\\/")
      .replace(/[^ -~]/g, (c) => unicode(c.charCodeAt(0))),
  "in base64": base64,
  "in base64 from the second byte": (secret) => base64(`x${secret}y`),
  "in base64 from the third byte": (secret) => base64(`xx${secret}yy`),
  "in base64 behind the client id, as HTTP Basic has it": (secret) => base64(`ci@1234567890:${secret}`),
  "in base64url": (secret) => base64(secret, "base64url"),
  "in base64url from the second byte": (secret) => base64(`{${secret}}`, "base64url"),
  "in hex": hex,
  "in hex with capitals": (secret) => hex(secret).toUpperCase(),
  "in hex of both cases": (secret) => upperOdd(hex(secret)),
  "in percent encoding": encodeURIComponent,
  "in percent encoding in small letters": (secret) =>
    encodeURIComponent(secret).replace(/%../g, (c) => c.toLowerCase()),
  "in percent encoding of both cases": (secret) => encodeURIComponent(secret).replace(/%../g, upperOdd),
  "in percent encoding of all characters": (secret) => percent(secret).toUpperCase(),
  "in percent encoding of all characters, in both cases": (secret) => upperOdd(percent(secret)),
  "as in the form": (secret) => new URLSearchParams({ client_secret: secret }).toString(),
  "as in the form, plus for blank but not for marks": (secret) => encodeURIComponent(secret).replaceAll("%20", "+"),
  "in percent encoding twice": (secret) => encodeURIComponent(encodeURIComponent(secret)),
  "in HTML": (secret) =>
    secret
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&#39;"),
  "in HTML with numbers": (secret) => secret.replace(/[&<>"'/+=\\]/g, (c) => `&#${c.charCodeAt(0)};`),
  "in HTML with hexadecimal numbers": (secret) =>
    secret.replace(/[&<>"'/+=\\]/g, (c) => `&#x${c.charCodeAt(0).toString(16)};`),
  "in HTML, all of it": (secret) => each(secret, (unit) => `&#${unit};`),
  "behind a text of nearly a line's length": (secret) => "x".repeat(290) + secret,
  "behind a text of nearly a line's length, in hex": (secret) => "-".repeat(270) + hex(secret),
  "a hundred times": (secret) => `${secret} `.repeat(100),
  "twice without a space": (secret) => secret + secret,
  "with its end written twice": (secret) => secret + secret.slice(-9),
};

/** Forms in which a secret of letters and digits differs from itself. */
const PLAIN_TOO = /capitals|base64|hex|all |length|twice/;

/** Characters that a reader does not see, between two halves that he must not see either. */
const UNSEEN: Readonly<Record<string, string>> = {
  NUL: "\u0000",
  "a line feed": "\n",
  "a carriage return": "\r",
  "an escape": "\u001b",
  "a soft hyphen": "\u00ad",
  "a space of no width": "\u200b",
  "a joiner of no width": "\u200d",
  "a byte order mark": "\ufeff",
  "a mark that turns the direction": "\u202e",
  "a line separator": "\u2028",
};

const asDescription = (told: string): ScriptedAnswer => refusal("invalid_client", told, 401);

const forms: readonly Scene[] = [
  ...Object.entries(FORMS).flatMap(([what, write]) =>
    (PLAIN_TOO.test(what) ? [SECRET, RICH] : [RICH]).map((secret) => ({
      name: `a server that tells ${secret === RICH ? "a rich" : "a plain"} secret ${what} leaks nothing`,
      inputs: { "client-secret": secret },
      server: { token: asDescription(`No: ${write(secret)} is wrong`) },
      expect: fails("invalid_client", "The client id or the secret is wrong.", ONCE, {
        never: [write(secret).trim().slice(-16), write(secret).slice(-80), write(secret)],
        says: ["***"],
      }),
    })),
  ),
  ...Object.entries(UNSEEN).map(([what, between]) => {
    const [front, back] = [SECRET.slice(0, 18), SECRET.slice(18)];
    return {
      name: `a server that tells the secret with ${what} inside leaks neither half`,
      server: { token: asDescription(`No: ${front}${between}${back} is wrong`) },
      expect: fails("invalid_client", /./, ONCE, { never: [front, back] }),
    };
  }),
];

/** Where else a server may put what it was sent. */
const PLACES: Readonly<
  Record<string, readonly [answer: (secret: string) => ScriptedHandler, cause: Part, requests?: Requests]>
> = {
  "the OAuth error": [(secret) => refusal(`invalid_${secret}`), "refused to sign in (status 400): invalid_***"],
  "an error on a status that is tried again": [
    (secret) => refusal(secret, base64(secret), 503),
    '503, saying "***: ***"',
    { token: 2, keys: [0, 1] },
  ],
  "the target of a redirect": [
    (secret) => ({ status: 302, headers: { location: `https://portal.test/?back=${secret}&b=${base64(secret)}` } }),
    "a redirect to https://portal.test/?back=***&b=***",
  ],
  "a web page": [(secret) => page(200, `<html><body>${secret}</body></html>`), "was answered with a web page."],
  headers: [
    (secret) => ({ status: 400, headers: { "x-secret": secret, "www-authenticate": secret, server: secret } }),
    "answered with status 400",
  ],
  "the content type": [
    (secret) => ({ status: 200, headers: { "content-type": secret }, body: secret }),
    "a text that is no JSON",
    { token: 2, keys: [0, 1] },
  ],
  "Retry-After": [
    (secret) => ({ status: 429, headers: { "retry-after": secret } }),
    "answered with status 429",
    { token: 2, keys: [0, 1] },
  ],
  "the date": [(secret) => ({ status: 400, headers: { date: secret } }), "answered with status 400"],
  token_type: [(secret) => answerWith("aaaa.bbbb.cccc", { token_type: secret }), "token_type is not Bearer"],
  expires_in: [(secret) => answerWith("aaaa.bbbb.cccc", { expires_in: secret }), "expires_in is not a number"],
  "the token": [(secret) => answerWith(secret), "the access_token is opaque (no JWT)", { token: 1, keys: 1 }],
  "the token's header": [
    (secret) => answerWith(signer.sign(claims(), { alg: secret, typ: secret })),
    "another algorithm",
    { token: 1, keys: 1 },
  ],
  "the token's key id": [
    (secret) => answerWith(stranger.sign(claims(), { kid: secret })),
    "no signing key",
    { token: 1, keys: 2 },
  ],
  "the token's audience": [
    (secret) => answerWith(signer.sign(claims({ aud: secret }))),
    "audience (aud) is not",
    { token: 1, keys: 1 },
  ],
};

const places: readonly Scene[] = [
  ...Object.entries(PLACES).map(([what, [answer, cause, requests = ONCE]]) => ({
    name: `a server that tells the secret in ${what} leaks nothing`,
    debug: true as const,
    inputs: { timeout: "2" },
    server: { token: answer(SECRET) },
    expect: fails(cause, /./, requests, { never: [SECRET.slice(0, 20)] }),
  })),
  {
    name: "a granted scope that is the secret reaches neither log nor outputs in clear",
    server: { token: () => answerWith(signer.sign(claims({ scope: [`tsg_id:1234567890`, "x"] })), { scope: SECRET }) },
    expect: signsIn({ never: [SECRET] }),
  },
  {
    name: "a server that tells the secret in the words of a status leaks nothing",
    chaos: { reply: `HTTP/1.1 403 ${SECRET} ::error::evil\r\nContent-Length: 0\r\n\r\n` },
    expect: fails("answered with status 403.", /./, { token: 0, keys: 0 }, { never: ["evil"] }),
  },
  ...["%25", "\\u005c", "&amp;", "=3D", `${SECRET.slice(0, -1)} `].map((piece) => ({
    name: `half a megabyte of ${JSON.stringify(piece.slice(0, 8))} in what a server says takes no long time to look through`,
    server: { token: asDescription(piece.repeat(Math.floor(400_000 / piece.length))) },
    expect: fails("invalid_client", /./, ONCE, { within: 4000 }),
  })),
  {
    name: "id and secret swapped leak nothing when the server refuses",
    inputs: { "client-id": SECRET, "client-secret": "ci@1234567890.iam.panserviceaccount.com" },
    canaries: [SECRET],
    server: { token: asDescription("no such client") },
    expect: fails("invalid_client", "Are id and secret swapped", ONCE, { never: [SECRET] }),
  },
];

const token = signer.sign(claims());

const tokens: readonly Scene[] = [
  {
    name: "a token beside an error that tells it leaks nothing",
    server: {
      token: {
        status: 400,
        body: {
          access_token: token,
          error: "invalid_scope",
          error_description: `${token} ${hex(token)} ${base64(token)}`,
        },
      },
    },
    expect: fails("invalid_scope: ***", /./, ONCE, { never: [token.slice(-40), hex(token).slice(-40)] }),
  },
  {
    name: "a token that key answers tell leaks nothing",
    server: {
      token: answerWith(token),
      keys: async () => {
        await new Promise((later) => setTimeout(later, 300));
        return { status: 302, headers: { location: `https://portal.test/?t=${token}` } };
      },
    },
    expect: fails(
      "a redirect to https://portal.test/?t=***",
      "never followed",
      { token: 1, keys: 1 },
      { never: [token.slice(-40)] },
    ),
  },
  {
    name: "tokens of tries that failed are hidden as well",
    inputs: { timeout: "2" },
    server: { token: [{ status: 503, body: { access_token: token } }, refusal("invalid_client", `you had ${token}`)] },
    expect: fails("you had ***", /./, { token: 2, keys: 1 }, { never: [token.slice(-40)] }),
  },
  {
    name: "a token that is refused is masked all the same",
    server: { token: answerWith(token), keys: keySet(stranger.jwk) },
    expect: fails(
      "no signing key",
      /./,
      { token: 1, keys: 2 },
      {
        also: (run) => {
          assert.ok(run.masks.includes(token));
        },
      },
    ),
  },
];

/** Servers that tell what they know. */
export const echoes: readonly Scene[] = [...forms, ...places, ...tokens];

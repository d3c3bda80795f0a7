import type { Socket } from "node:net";

import type { Faults } from "../support/chaos-proxy.ts";
import { TOKEN_PATH } from "../support/scm-provider.ts";
import type { ScriptedAnswer } from "../support/scripted-server.ts";
import { answerWith, claims, giveKeys, signer } from "./cast.ts";
import { fails, NOTHING, signsIn, type Part, type Requests, type Scene } from "./scene.ts";

/** Bytes went to and fro, but who can say how far each request came. */
const SOME: Requests = { token: [0, 2], keys: [0, 2] };

const TOKEN_BODY = JSON.stringify(answerWith(signer.sign(claims())).body);
/** A whole answer as it stands on the wire. */
const wire = (body: string, ...headers: readonly string[]): string =>
  ["HTTP/1.1 200 OK", "Content-Type: application/json", ...headers, "", body].join("\r\n");

/** Answers that are cut, slow or without end: what is said of them, of the token and of the key request alike. */
const BODIES: Readonly<Record<string, readonly [answer: ScriptedAnswer, cause: Part, hint: Part]>> = {
  "cut off at once": [
    { destroyAfterBytes: 0 },
    /was cut off before its end/,
    "The answer ended before it was complete",
  ],
  "cut off in the middle": [
    { destroyAfterBytes: 20 },
    "was cut off before its end (2 tries).",
    "closed the connection",
  ],
  "silent after the headers": [
    { stallAfterBytes: 0 },
    /began to answer and fell silent.*\(2 tries\)/,
    "closed the connection",
  ],
  "silent in the middle": [
    { stallAfterBytes: 20 },
    /began to answer and fell silent.*\(2 tries\)/,
    "closed the connection",
  ],
  "never given": [{ hang: true }, /took the request and gave no answer within .*\(2 tries\)/, "raise timeout"],
  "without end": [{ endless: true }, "the answer is larger than 1024 KiB.", "What answered is not SCM's auth server."],
  "of 30 MB": [
    { body: `{"x":"${"x".repeat(30_000_000)}"}` },
    "the answer is larger than 1024 KiB.",
    "not SCM's auth server",
  ],
};

const bodies: readonly Scene[] = Object.entries(BODIES).flatMap(([what, [answer, cause, hint]]) =>
  (["token", "keys"] as const).map((route) => {
    const tries = typeof cause === "string" && cause.includes("larger") ? 1 : 2;
    const good = route === "token" ? { access_token: "aaaa.bbbb.cccc" } : giveKeys.body;
    return {
      name: `a ${route} answer that is ${what} is told${tries === 2 ? ", tried again" : ""} and ends in time`,
      inputs: { timeout: "2" },
      server: { [route]: { body: good, ...answer } },
      expect: fails(cause, hint, { token: [0, 2], keys: [0, 2], [route]: tries }, { within: 4000 }),
    };
  }),
);

/** What breaks on the way, for every connection: what is said. */
const FAULTS: Readonly<Record<string, readonly [faults: Faults, cause: Part]>> = {
  "a connection that is reset at once": [{ refuse: true }, "broke (ECONNRESET) (2 tries)."],
  "a reset in the place of an answer": [{ resetAfter: 0 }, "broke (ECONNRESET) (2 tries)."],
  "an end in the place of an answer": [{ endAfter: 0 }, "broke (ECONNRESET) (2 tries)."],
  "a reset within the status line": [{ resetAfter: 9 }, /broke \(\w+\) \(2 tries\)/],
  "an end within the status line": [{ endAfter: 9 }, /broke \(\w+\) \(2 tries\)/],
  "an end within the headers": [{ endAfter: 60 }, /broke \(\w+\) \(2 tries\)/],
  "silence from the start": [{ silentAfter: 0 }, /took the request and gave no answer within .*\(2 tries\)/],
  "silence within the headers": [{ silentAfter: 60 }, /took the request and gave no answer within .*\(2 tries\)/],
  "an answer that drips": [{ drip: { bytes: 1, everyMs: 60 } }, /(no answer|fell silent).*\(2 tries\)/],
  "an answer whose body drips": [{ silentAfter: 400, drip: { bytes: 60, everyMs: 1 } }, /fell silent.*\(2 tries\)/],
  "another protocol": [{ reply: "SSH-2.0-OpenSSH_9.6\r\n" }, /broke \(HPE_INVALID_CONSTANT\) \(2 tries\)/],
  "a workflow command for an answer": [
    { reply: "::error title=x::evil\n##[error]evil\n" },
    /broke \(HPE_\w+\) \(2 tries\)/,
  ],
  "random bytes": [{ reply: Uint8Array.from({ length: 300 }, (_, at) => (at * 151 + 7) % 256) }, /broke \(HPE_\w+\)/],
  "two lengths": [{ reply: wire(TOKEN_BODY, "Content-Length: 5", "Content-Length: 6") }, /broke \(HPE_\w+\)/],
  "a length and chunks": [
    { reply: wire("0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked") },
    /broke \(HPE_\w+\)/,
  ],
  "chunks that are none": [{ reply: wire("zz\r\n{}\r\n", "Transfer-Encoding: chunked") }, /cut off|broke/],
  "chunks without their end": [
    { reply: wire("5\r\n[1,2]\r\n", "Transfer-Encoding: chunked") },
    "cut off before its end",
  ],
  "a length that is not reached": [{ reply: wire(TOKEN_BODY, "Content-Length: 99999") }, "cut off before its end"],
  "headers of 1 MB": [{ reply: wire("{}", `X: ${"x".repeat(1_000_000)}`) }, "broke (HPE_HEADER_OVERFLOW)"],
};

const faults: readonly Scene[] = Object.entries(FAULTS).map(([what, [chaos, cause]]) => ({
  name: `${what} is told, tried again and ends in time`,
  // Only silence lasts until the time is up. The rest fails by itself, however busy the machine is meanwhile.
  inputs: { timeout: /silence|drips/.test(what) ? "2" : "10" },
  chaos,
  expect: fails(cause, /./, SOME, { within: /silence|drips/.test(what) ? 5000 : 10_000, never: ["evil"] }),
}));

/** Sends the same bytes again and again. */
const pour = (start: string, again: string) => (socket: Socket) => {
  socket.once("data", () => {
    socket.write(start);
    const more = (): void => {
      while (!socket.destroyed && socket.write(again));
    };
    socket.on("drain", more);
    more();
  });
};

const endless: readonly Scene[] = [
  {
    name: "headers without end are cut short",
    inputs: { timeout: "10" },
    raw: pour("HTTP/1.1 200 OK\r\n", "X-Padding: 0123456789\r\n".repeat(100)),
    expect: fails("broke (HPE_HEADER_OVERFLOW)", "The network or something in between", NOTHING, { within: 10_000 }),
  },
  {
    name: "one header without end is cut short",
    inputs: { timeout: "10" },
    raw: pour("HTTP/1.1 200 OK\r\nX: ", "0123456789".repeat(100)),
    expect: fails("broke (HPE_HEADER_OVERFLOW)", "The network or something in between", NOTHING, { within: 10_000 }),
  },
  {
    name: "interim answers without end are no answer",
    inputs: { timeout: "2", "max-retries": "0" },
    raw: pour("", "HTTP/1.1 102 Processing\r\n\r\n"),
    expect: fails(/took the request and gave no answer|broke/, /./, NOTHING, { within: 6000 }),
  },
  {
    name: "a connection that is taken and never read ends in time",
    inputs: { timeout: "1" },
    raw: (socket) => socket.pause(),
    expect: fails("took the request and gave no answer", "Start fewer jobs at a time", NOTHING, { within: 4000 }),
  },
  {
    name: "a TLS handshake that never ends is no connection",
    inputs: ({ origin }) => ({ timeout: "1", "token-url": origin.replace("http:", "https:") + TOKEN_PATH }),
    raw: () => undefined,
    expect: fails(/no connection to 127\.0\.0\.1:\d+ within/, "a firewall may drop it", NOTHING, { within: 4000 }),
  },
  {
    name: "silence ends with the time, repeats and waits included",
    inputs: { timeout: "2", "max-retries": "5" },
    server: { token: { hang: true } },
    expect: fails("gave no answer", "raise timeout", { token: [2, 6], keys: [1, 6] }, { within: 4000 }),
  },
  {
    name: "silence of the keys ends with the time as well",
    inputs: { timeout: "1", "max-retries": "0" },
    server: { keys: { hang: true } },
    expect: fails("request for the signing keys: 127.0.0.1", /./, { token: 1, keys: 1 }, { within: 4000 }),
  },
];

/** Right answers, written in unusual ways. */
const WIRES: Readonly<Record<string, (body: string) => string>> = {
  "with its end as its length": (body) => wire(body),
  "in chunks": (body) => wire(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`, "Transfer-Encoding: chunked"),
  "by HTTP/1.0": (body) => wire(body).replace("HTTP/1.1", "HTTP/1.0"),
  "behind interim answers": (body) =>
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${wire(body, `Content-Length: ${body.length}`)}`,
  "with bytes after its end": (body) => `${wire(body, `Content-Length: ${body.length}`)}HTTP/1.1 500 No\r\n\r\n`,
};

const wires: readonly Scene[] = [
  ...Object.entries(WIRES).map(([what, write]) => ({
    name: `an answer ${what} is read`,
    raw: (socket: Socket) => {
      socket.once("data", (request: Buffer) => {
        const body = request.toString().startsWith("POST") ? TOKEN_BODY : JSON.stringify(giveKeys.body);
        socket.end(write(body));
      });
    },
    expect: signsIn({ token: 0, keys: 0, outputs: outputsOnTheWire() }),
  })),
  {
    name: "an answer in small pieces is read",
    chaos: { drip: { bytes: 100, everyMs: 5 } },
    expect: signsIn(),
  },
  {
    name: "one bad connection of each request is forgiven",
    chaos: (n) => (n < 2 ? { resetAfter: 10 } : {}),
    expect: signsIn({ token: 2, keys: 2, says: ["Try 1 of 2"] }),
  },
];

function outputsOnTheWire(): Readonly<Record<string, string>> {
  const { access_token: token } = JSON.parse(TOKEN_BODY) as { access_token: string };
  const { exp, scope } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as {
    exp: number;
    scope: readonly string[];
  };
  return {
    "access-token": token,
    "expires-at": new Date(exp * 1000).toISOString().replace(".000", ""),
    scope: scope.join(" "),
    "tsg-id": scope.join(" ").replace(/.*tsg_id:/, ""),
  };
}

/** What breaks below HTTP, or is written there in an unusual way. */
export const networks: readonly Scene[] = [...bodies, ...faults, ...endless, ...wires];

import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { after, test } from "node:test";
import { inspect } from "node:util";

import { systemClock } from "../../shared/clock.ts";
import { AuthError, type AuthErrorKind } from "../../shared/report/errors.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { KeyCache } from "../../shared/token/key-cache.ts";
import { mint } from "../../shared/token/prove-token.ts";
import type { SigningKey } from "../../shared/token/signing-keys.ts";
import { assertNoCanary, tokenCanaries } from "../support/canaries.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyJson, nearlyText } from "../support/nearly.ts";
import { honestClaims, makeSigner } from "../support/tokens.ts";

/** Answers that are nearly HTTP, byte by byte on a real connection, and what becomes of the sign-in. */

const clientId = "ci@1.iam.panserviceaccount.com";
const clientSecret = "3f0d8ab2/5b1c+4c7e=9d35 6f1f3f8d8a10";
const signer = await makeSigner();
const token = signer.sign(honestClaims({ clientId, tsgId: "1", ttl: 86_400 }));
const signingKey: SigningKey = { kty: "RSA", n: signer.jwk.n ?? "", e: signer.jwk.e ?? "", kid: signer.kid };
const good = { access_token: token, token_type: "Bearer", expires_in: 899 };

/** Bytes that answer every request on a port, after which the server says that no more comes. */
let answer = "";
const sockets = new Set<Socket>();
const server = createServer((socket) => {
  sockets.add(socket);
  socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  socket.once("data", () => {
    socket.end(answer, "latin1");
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => {
  server.close();
  for (const socket of sockets) socket.destroy();
});
const { port } = server.address() as AddressInfo;
const request = AuthRequest.parse({ clientId, clientSecret, tokenUrl: `http://127.0.0.1:${port}/token` });

const chunked = (body: string): string =>
  [body.slice(0, 9), body.slice(9), ""].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");

/** Ways to say how long a body is, right and wrong. */
const FRAMES: readonly ((body: string) => readonly [header: string, body: string])[] = [
  (body) => [`Content-Length: ${body.length}`, body],
  (body) => [`Content-Length: ${body.length}`, body],
  (body) => ["Transfer-Encoding: chunked", chunked(body)],
  (body) => ["Connection: close", body],
  (body) => [`Content-Length: ${body.length}\r\nContent-Length: ${body.length}`, body],
  (body) => [`Content-Length: ${body.length}\r\nContent-Length: 2`, body],
  (body) => [`Content-Length: ${body.length}\r\nTransfer-Encoding: chunked`, chunked(body)],
  (body) => ["Transfer-Encoding: gzip, chunked", chunked(body)],
  (body) => [`Content-Length: ${body.length + 1}`, body],
  (body) => [`Content-Length: ${body.length - 1}`, body],
  (body) => ["Content-Length: 99999999999999999999", body],
  (body) => ["Content-Length: -1", body],
  (body) => ["Content-Encoding: gzip", body],
];
const HEADERS = [
  ...["Date: Sat, 31 Jan 2026 12:00:00 GMT", "Date: Mon 2099", "Retry-After: 1", "Retry-After: Sun, 99 Feb", "X:"],
  ...[`Location: https://evil.test/?${clientSecret}`, `Set-Cookie: token=${token}`, `X: ${"y".repeat(20_000)}`],
  ...["Content-Type: text/html", "Upgrade: websocket\r\nConnection: upgrade", "Trailer: X", "no colon", " folded: x"],
];
const whole = fc
  .record({
    version: fc.constantFrom("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "ICY"),
    status: fc.oneof(
      { weight: 3, arbitrary: fc.constant(200) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(100, 101, 102, 103, 199, 204, 205, 206, 301, 304, 401, 407, 429, 503, 0),
      },
      { weight: 1, arbitrary: fc.nat(999) },
    ),
    headers: fc.subarray(HEADERS, { maxLength: 3 }),
    body: fc.oneof(fc.constant(JSON.stringify(good)), nearlyJson(good, [clientSecret, token])),
    frame: fc.constantFrom(...FRAMES),
    before: fc.constantFrom(
      "",
      "",
      "",
      "",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\n\r\n",
      "\r\n",
    ),
  })
  .map(({ version, status, headers, body, frame, before }) => {
    const [header, framed] = frame(body);
    const head = [`${version} ${status} Any`, ...headers, header, "Content-Type: application/json"];
    return `${before}${head.join("\r\n")}\r\n\r\n${framed}`;
  });
const answers = fc.oneof({ weight: 2, arbitrary: whole }, { weight: 1, arbitrary: nearlyText(whole, 2) });

/** Of the machine's own time, in seconds: no answer may take up any of it, since each is over at once. */
const PATIENCE = 10;
const KINDS: ReadonlySet<AuthErrorKind> = new Set([
  ...(["network", "rate_limited", "server", "rejected", "protocol", "verification"] as const),
]);

test("of an answer that is nearly HTTP comes the one token that is proved, or at once a failure that shows nothing of it", async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(answers, async (text) => {
      answer = text;
      const keys = new KeyCache(systemClock);
      await keys.search(() => Promise.resolve([signingKey])).ready;
      const began = performance.now();
      const outcome: unknown = await mint(request, {
        ...{ timeout: PATIENCE, verify: true, userAgent: "test/1", keys },
        policy: { maxRetries: 0, backoff: 0, spreadOverload: false },
      }).then(
        ({ value }) => value,
        (error: unknown) => error,
      );
      assert.ok(performance.now() - began < PATIENCE * 500, JSON.stringify(text));
      if (outcome === token) {
        seen["the token"] = 1;
        return;
      }
      assert.ok(AuthError.isAuthError(outcome), `${inspect(outcome)} of ${JSON.stringify(text)}`);
      assert.ok(KINDS.has(outcome.kind), `${outcome.kind}: ${outcome.message}`);
      seen[outcome.kind] = 1;
      const shown = `${inspect(outcome, { showHidden: true, depth: 9 })}\n${outcome.hint}`;
      assertNoCanary([clientSecret, ...tokenCanaries(token)], { shown });
    }),
    { numRuns: 100 },
  );
  const reached = ["network", "protocol", "rejected", "the token"];
  assert.deepEqual(
    reached.filter((outcome) => seen[outcome] === undefined),
    [],
  );
});

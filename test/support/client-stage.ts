import assert from "node:assert/strict";
import { after, type TestContext } from "node:test";

import { systemClock, type Clock, type Milliseconds } from "../../shared/clock.ts";
import { AuthError, AuthRequest, type AuthEvent } from "../../shared/index.ts";
import { keepSecret } from "./canaries.ts";
import { makeCertificates } from "./certificate.ts";
import { makeSigningKey } from "./scm-provider.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "./scm-server.ts";
import { startScriptedServer, type Script, type ScriptedAnswer, type ScriptedServer } from "./scripted-server.ts";
import { honestClaims, makeSigner } from "./tokens.ts";

/** Who signs in at the scripted servers, and with what. */
export const CLIENT_ID = "ci@1234567890.iam.panserviceaccount.com";
export const TSG_ID = "1234567890";
export const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
keepSecret("client secret", SECRET);

/** Made once a file: each takes some 100 ms. */
export const tls = await makeCertificates();
/** Signs the tokens of scripted servers. */
export const signer = await makeSigner();
const signingKey = await makeSigningKey();

/** A server, and a request that signs in to it. */
export interface Stage<Server> {
  readonly server: Server;
  readonly request: AuthRequest;
}

/** The real sort of server over TLS, closed after the test: a certified OpenID provider and a small API. */
export async function scm(t: TestContext, options: ScmServerOptions = {}): Promise<Stage<ScmServer>> {
  const server = await startScmServer({ tls, signingKey, ...options });
  t.after(server.close);
  const { clientId, clientSecret, tokenUrl, tsgId, ca } = server;
  return { server, request: AuthRequest.parse({ clientId, clientSecret, tokenUrl, tsgId, ca }) };
}

/** What a test writes for the routes of a server. */
export interface Scripts {
  /** Default: the key set of {@link signer}. */
  readonly keys?: Script;
  readonly other?: Script;
  /** Plain http where TLS is not what matters: to trust one more authority costs a client 40 ms. Default: false. */
  readonly plain?: boolean;
}

/** A server over TLS that answers what a test writes, closed after the test. */
export async function scripted(
  t: TestContext,
  token: Script,
  { keys = { body: { keys: [signer.jwk] } }, plain = false, ...scripts }: Scripts = {},
): Promise<Stage<ScriptedServer>> {
  const server = await startScriptedServer({ token, keys, ...(!plain && { tls }), ...scripts });
  t.after(server.close);
  const { tokenUrl } = server;
  const fields = { clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl, ...(!plain && { ca: tls.ca }) };
  return { server, request: AuthRequest.parse(fields) };
}

/** The answer to a token request, right unless `change` makes it wrong. */
export const minted = (change: object = {}): ScriptedAnswer => ({
  body: {
    access_token: signer.sign(honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID })),
    token_type: "Bearer",
    expires_in: 899,
    ...change,
  },
});

/** How many tokens a server was asked for. */
export const tokenRequests = ({ requests }: ScmServer): number =>
  requests.filter(({ method, path }) => method === "POST" && path.endsWith("/access_token")).length;

/** The clocks of a machine, which a test may put forward while servers and waits stay real. */
export interface MovedClock {
  readonly clock: Clock;
  /** By how much each is ahead of the machine's. */
  readonly moved: { wall: Milliseconds; monotonic: Milliseconds };
  /** Puts both forward. */
  readonly pass: (time: Milliseconds) => void;
  /** Puts the monotonic one forward: a token nears its end while our wall clock and the server's still agree. */
  readonly age: (time: Milliseconds) => void;
  /** Hears of events: a wait between two tries then passes at once. */
  readonly skipWaits: (event: AuthEvent) => void;
}

/** Makes clocks that show the machine's time until a test moves them. */
export function makeMovedClock(): MovedClock {
  const moved = { wall: 0, monotonic: 0 };
  const pass = (time: Milliseconds): void => {
    moved.wall += time;
    moved.monotonic += time;
  };
  let skipped: Milliseconds | undefined;
  const clock: Clock = {
    wall: () => systemClock.wall() + moved.wall,
    monotonic: () => systemClock.monotonic() + moved.monotonic,
    after: (delay, wake) => {
      if (delay !== skipped) return systemClock.after(delay, wake);
      skipped = undefined;
      pass(delay);
      return systemClock.after(0, wake);
    },
  };
  return {
    clock,
    moved,
    pass,
    age: (time) => {
      moved.monotonic += time;
    },
    skipWaits: (event) => {
      if (event.type === "wait") skipped = event.wait;
    },
  };
}

/** A promise, and what fulfils it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    opened,
    open: () => {
      open();
    },
  };
}

/** The AuthError that `work` must fail with. */
export async function failureOf(work: Promise<unknown>): Promise<AuthError> {
  const outcome = await work.then(
    () => "no failure",
    (error: unknown) => error,
  );
  assert.ok(AuthError.isAuthError(outcome), String(outcome));
  return outcome;
}

/** Rejections in this process that nobody handled; a file of tests that has any at its end fails. */
export function watchRejections(): readonly unknown[] {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  after(() => {
    process.off("unhandledRejection", note);
    assert.deepEqual(unhandled, []);
  });
  return unhandled;
}

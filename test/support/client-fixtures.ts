import assert from "node:assert/strict";
import { after, type TestContext } from "node:test";

import type { Clock, Milliseconds, RandomSource } from "../../shared/clock.ts";
import { backgroundClock } from "../../shared/clock.ts";
import { AuthError, AuthRequest, OAuth2Client, type AuthEvent, type ClientOptions } from "../../shared/index.ts";
import { createCertificates } from "./certificates.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "./scm-server.ts";
import { startScriptedServer, type Script, type ScriptedResponse, type ScriptedServer } from "./scripted-server.ts";
import { createSigner, validClaims } from "./tokens.ts";

export const TSG_ID = "1234567890";
export const CLIENT_ID = `ci@${TSG_ID}.iam.panserviceaccount.com`;
export const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";

/** Created once per test file, because each takes about 100 ms. */
export const tls = createCertificates();
export const signer = await createSigner();

/** Client options with the test hooks that are not part of the public type. */
export type TestClientOptions = ClientOptions & { readonly clock?: Clock; readonly random?: RandomSource };

export const createClient = (request: AuthRequest, options: TestClientOptions = {}): OAuth2Client =>
  new OAuth2Client(request, options);

/** Starts a server that behaves like SCM, and creates a request that signs in to it. */
export async function startScm(
  t: Pick<TestContext, "after">,
  options: ScmServerOptions = {},
): Promise<{ readonly server: ScmServer; readonly request: AuthRequest }> {
  const server = await startScmServer({ tls, signer, ...options });
  t.after(server.close);
  const { clientId, clientSecret, tokenUrl, tsgId, ca } = server;
  return { server, request: AuthRequest.parse({ clientId, clientSecret, tokenUrl, tsgId, ca }) };
}

/** The scripts of a server. All have defaults. */
export interface Scripts {
  readonly token?: Script;
  readonly jwks?: Script;
  readonly other?: Script;
  /** Whether the server uses TLS. Default: false. */
  readonly secure?: boolean;
}

/** Starts a server with scripted responses (valid by default), and creates a request that signs in to it. */
export async function startScripted(
  t: Pick<TestContext, "after">,
  { token = () => tokenResponse(), jwks = { body: { keys: [signer.jwk] } }, other, secure = false }: Scripts = {},
): Promise<{ readonly server: ScriptedServer; readonly request: AuthRequest }> {
  const server = await startScriptedServer({ token, jwks, ...(other && { other }), ...(secure && { tls }) });
  t.after(server.close);
  const { tokenUrl } = server;
  const input = { clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl, ...(secure && { ca: tls.ca }) };
  return { server, request: AuthRequest.parse(input) };
}

/** Creates claims that a client accepts. */
export const clientClaims = (now?: number) =>
  validClaims({ clientId: CLIENT_ID, tsgId: TSG_ID, ...(now !== undefined && { now }) });

/** Creates a token response that is valid unless `change` makes it invalid. */
export const tokenResponse = (change: object = {}): ScriptedResponse => ({
  body: { access_token: signer.sign(clientClaims()), token_type: "Bearer", expires_in: 899, ...change },
});

/** A clock that a test can adjust, based on the real clock. Servers and delays use real time. */
export interface MovableClock {
  readonly clock: Clock;
  /** Advances all clocks. */
  readonly pass: (time: Milliseconds) => void;
  /** Advances all clocks except the wall clock, so that tokens age but the time still matches the server's. */
  readonly age: (time: Milliseconds) => void;
  /** Sets the offset of the wall clock. */
  readonly setWallClock: (offset: Milliseconds) => void;
  /** An event listener that skips the delay before a retry. */
  readonly skipDelays: (event: AuthEvent) => void;
}

export function createMovableClock(): MovableClock {
  const moved = { wall: 0, monotonic: 0 };
  let skipped: Milliseconds | undefined;
  const age = (time: Milliseconds): void => {
    moved.monotonic += time;
  };
  const pass = (time: Milliseconds): void => {
    moved.wall += time;
    age(time);
  };
  return {
    clock: {
      now: () => backgroundClock.now() + moved.wall,
      monotonic: () => backgroundClock.monotonic() + moved.monotonic,
      elapsed: () => backgroundClock.monotonic() + moved.monotonic,
      setTimeout: (callback, delay) => {
        if (skipped === undefined || Math.abs(delay - skipped) > 1) return backgroundClock.setTimeout(callback, delay);
        skipped = undefined;
        pass(delay);
        return backgroundClock.setTimeout(callback, 0);
      },
    },
    pass,
    age,
    setWallClock: (offset) => {
      moved.wall = offset;
    },
    skipDelays: (event) => {
      if (event.type === "retry") skipped = event.delayMs;
    },
  };
}

/** Returns the error with which `work` rejects. */
export async function getError(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => assert.fail("no error"),
    (error: unknown) => error,
  );
}

/** Returns the AuthError with which `work` rejects. */
export async function getAuthError(work: Promise<unknown>): Promise<AuthError> {
  const error = await getError(work);
  assert.ok(AuthError.isAuthError(error), String(error));
  return error;
}

/** Returns the AuthError that `call` throws. */
export function getThrown(call: () => unknown): AuthError {
  try {
    call();
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    return error;
  }
  return assert.fail("no error");
}

/** Makes a test file fail if it leaves a rejection unhandled. */
export function forbidUnhandledRejections(): void {
  const reasons: unknown[] = [];
  const onRejection = (reason: unknown): void => void reasons.push(reason);
  process.on("unhandledRejection", onRejection);
  after(() => {
    process.off("unhandledRejection", onRejection);
    assert.deepEqual(reasons, []);
  });
}

import { expectTypeOf } from "expect-type";
import { ApiError, AuthError, AuthRequest, OAuth2Client, openToken, sealToken } from "scm-auth";
import type {
  AuthErrorCode,
  AuthErrorKind,
  AuthEvent,
  AuthRequestInput,
  Claims,
  ClientOptions,
  HttpMethod,
  OpenedToken,
  OpenOptions,
  Problem,
  Session,
  SigningKey,
  TokenExpiredError,
  TokenWish,
} from "scm-auth";

/**
 * The public shapes, held fast: compiled, never run, against the sources by `npm run types` and against the packed
 * package by `package.test.ts`.
 */

declare const client: OAuth2Client;
declare const input: AuthRequestInput;
declare const caught: unknown;

interface Tag {
  readonly name: string;
}

export async function requestShapes(): Promise<void> {
  expectTypeOf<Parameters<typeof AuthRequest.parse>>().toEqualTypeOf<[input: AuthRequestInput]>();
  expectTypeOf(AuthRequest.parse(input)).toEqualTypeOf<AuthRequest>();
  expectTypeOf(AuthRequest.fromEnv()).toEqualTypeOf<AuthRequest>();
  // What `process.env` holds may be given as it is, under exactOptionalPropertyTypes too.
  expectTypeOf<{ clientId: string | undefined; clientSecret: string | undefined }>().toExtend<AuthRequestInput>();
  expectTypeOf<{ clientId: number }>().not.toExtend<AuthRequestInput>();
  expectTypeOf<AuthRequest>().toHaveProperty("tenants").toEqualTypeOf<readonly string[]>();
  // @ts-expect-error -- a request is made by parse() and fromEnv() alone
  new AuthRequest(input);
  // @ts-expect-error -- and does not change
  AuthRequest.parse(input).clientId = "other";

  expectTypeOf(OAuth2Client.connect(input)).resolves.toEqualTypeOf<OAuth2Client>();
  expectTypeOf(OAuth2Client).toBeConstructibleWith(AuthRequest.parse(input), { maxRetries: 1 });
  expectTypeOf(OAuth2Client.MAX_RETRIES).toEqualTypeOf<number>();
  expectTypeOf(OAuth2Client.RETRY_BACKOFF).toEqualTypeOf<number>();
  expectTypeOf(OAuth2Client.TOKEN_EXPIRY_BUFFER).toEqualTypeOf<number>();
  await Promise.resolve();
}

export function optionShapes(): void {
  expectTypeOf<keyof ClientOptions>().toEqualTypeOf<
    "maxRetries" | "retryBackoff" | "tokenExpiryBuffer" | "timeout" | "verify" | "apiUrl" | "onEvent"
  >();
  expectTypeOf<{ timeout: undefined; verify: undefined; apiUrl: undefined }>().toExtend<ClientOptions>();
  expectTypeOf<{ timeout: string }>().not.toExtend<ClientOptions>();
  expectTypeOf<ClientOptions["onEvent"]>().toEqualTypeOf<((event: AuthEvent) => void) | undefined>();
}

export function tokenShapes(): void {
  expectTypeOf<Parameters<OAuth2Client["accessToken"]>>().toEqualTypeOf<[wish?: TokenWish | undefined]>();
  expectTypeOf<{ signal: AbortSignal; minTtl: number }>().toExtend<TokenWish>();
  expectTypeOf(client.accessToken()).resolves.toEqualTypeOf<string>();
  expectTypeOf(client.refreshToken()).resolves.toBeVoid();
  expectTypeOf(client.decodeToken()).resolves.toEqualTypeOf<Claims>();
  expectTypeOf<Claims["exp"]>().toEqualTypeOf<number>();
  expectTypeOf<Claims["anything else"]>().toEqualTypeOf<unknown>();
  expectTypeOf(client.isExpired).toEqualTypeOf<boolean>();
  expectTypeOf(client.tokenExpiresSoon).toEqualTypeOf<boolean>();
  expectTypeOf(client.signingKey).toEqualTypeOf<SigningKey | undefined>();
  expectTypeOf(client.expiresAt).toEqualTypeOf<Date | undefined>();
  expectTypeOf(client.scope).toEqualTypeOf<string | undefined>();
  expectTypeOf(client.tsgId).toEqualTypeOf<string | undefined>();
  expectTypeOf(client.authRequest).toEqualTypeOf<AuthRequest>();
  expectTypeOf(client.session).toEqualTypeOf<Session>();
}

export function sealedShapes(): void {
  expectTypeOf(sealToken(input, "token")).resolves.toBeString();
  expectTypeOf(sealToken).toBeCallableWith(client.authRequest, { accessToken: "token", expiresAt: client.expiresAt });
  expectTypeOf(openToken(input, "sealed", { minTtl: 60, timeout: undefined })).resolves.toEqualTypeOf<OpenedToken>();
  expectTypeOf<keyof OpenOptions>().toEqualTypeOf<
    "minTtl" | "signal" | "timeout" | "maxRetries" | "verify" | "onEvent"
  >();
  expectTypeOf<OpenedToken["tsgId"]>().toEqualTypeOf<string | undefined>();
}

export async function sessionShapes(): Promise<void> {
  const { session } = client;
  expectTypeOf(session.request("GET", "/")).resolves.toBeUnknown();
  expectTypeOf(session.request<Tag>("POST", "/", { body: { name: "a" } })).resolves.toEqualTypeOf<Tag>();
  expectTypeOf<HttpMethod>().toEqualTypeOf<"GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE">();
  // @ts-expect-error -- no such method
  void session.request("TRACE", "/");
  void session.request("GET", "/", {
    query: { folder: "All", limit: 200, deep: true, tag: ["a", "b"], no: undefined },
  });
  void session.request("GET", "/", { headers: { accept: "*/*" }, signal: AbortSignal.timeout(1) });

  expectTypeOf(session.list<Tag>("/")).toExtend<AsyncIterable<Tag>>();
  for await (const tag of session.list<Tag>("/", { query: { folder: "All" } })) expectTypeOf(tag).toEqualTypeOf<Tag>();
  for await (const item of session.list("/")) expectTypeOf(item).toBeUnknown();
  // @ts-expect-error -- a list is asked for without a body
  session.list("/", { body: {} });
}

export function errorShapes(): void {
  if (AuthError.isAuthError(caught)) {
    expectTypeOf(caught).toEqualTypeOf<AuthError>();
    expectTypeOf(caught).toExtend<Error>();
    expectTypeOf(caught.kind).toEqualTypeOf<AuthErrorKind>();
    expectTypeOf(caught.code).toEqualTypeOf<AuthErrorCode>();
    expectTypeOf(caught.retryable).toEqualTypeOf<boolean>();
    expectTypeOf(caught.attempts).toEqualTypeOf<number>();
    expectTypeOf(caught.status).toEqualTypeOf<number | undefined>();
    expectTypeOf(caught.oauthError).toEqualTypeOf<string | undefined>();
    expectTypeOf(caught.retryAfterMs).toEqualTypeOf<number | undefined>();
    expectTypeOf(caught.hint).toEqualTypeOf<string>();
    expectTypeOf(caught.problems).toEqualTypeOf<readonly Problem[]>();
  }
  expectTypeOf<AuthErrorKind>().toEqualTypeOf<
    "config" | "network" | "timeout" | "aborted" | "rate_limited" | "server" | "rejected" | "protocol" | "verification"
  >();
  expectTypeOf<"invalid_client" | "token_expired" | "clock_skew">().toExtend<AuthErrorCode>();
  expectTypeOf<"no such code">().not.toExtend<AuthErrorCode>();
  expectTypeOf<string>().not.toExtend<AuthErrorCode>();
  expectTypeOf<TokenExpiredError>().toExtend<AuthError>();
  expectTypeOf<TokenExpiredError["name"]>().toEqualTypeOf<"TokenExpiredError">();

  if (ApiError.isApiError(caught)) {
    expectTypeOf(caught).toExtend<Error>();
    expectTypeOf(caught.status).toEqualTypeOf<number>();
    expectTypeOf(caught.code).toEqualTypeOf<string | undefined>();
    expectTypeOf(caught.requestId).toEqualTypeOf<string | undefined>();
  }
}

/** A program can take every event apart by its type, and misses none. */
export function eventShapes(event: AuthEvent): string {
  expectTypeOf(event.level).toEqualTypeOf<"debug" | "error">();
  switch (event.type) {
    case "wait":
      expectTypeOf(event.wait).toEqualTypeOf<number>();
      return event.error.code;
    case "answer":
      return String(event.status);
    case "token":
      expectTypeOf(event.expiresAt).toEqualTypeOf<Date | undefined>();
      return event.scope;
    case "failure":
      return event.error.hint;
  }
}

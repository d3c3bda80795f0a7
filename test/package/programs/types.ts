import {
  ApiError,
  AuthError,
  AuthRequest,
  ensureAuthFile,
  OAuth2Client,
  sealToken,
  unsealToken,
  type AccessTokenOptions,
  type AuthErrorCode,
  type AuthEvent,
  type AuthFileResult,
  type AuthRequestInput,
  type ClientSecretFunction,
  type ClientOptions,
  type ConfigIssue,
  type HttpMethod,
  type JWTClaims,
  type QueryParams,
  type RequestOptions,
  type Session,
  type SigningKey,
  type TokenExpiredError,
  type UnsealedToken,
} from "scm-auth";

/** Uses the public types. Compiled against the sources and the packed package, but never run. */

interface Tag {
  readonly name: string;
}

export async function useClient(input: AuthRequestInput, request: AuthRequest, method: HttpMethod): Promise<unknown[]> {
  const options: ClientOptions = { maxRetries: 1, timeout: undefined, maxResponseBytes: 5, onEvent: describeEvent };
  const client: OAuth2Client = await OAuth2Client.connect(input, { ...options, signal: AbortSignal.timeout(1) });
  new OAuth2Client();
  new OAuth2Client(request, options);
  // Values from process.env, which may be undefined, are accepted.
  new OAuth2Client({ clientId: undefined as string | undefined, clientSecret: undefined as string | undefined });
  new OAuth2Client({ ...input, tokenUrl: request.tokenUrl });
  // @ts-expect-error -- the client ID and the secret are required
  new OAuth2Client({});
  // @ts-expect-error -- a request is created by parse() and fromEnv()
  new AuthRequest(input);
  // @ts-expect-error -- test hooks are not public
  new OAuth2Client(request, { clock: undefined });
  // @ts-expect-error -- this is not an option
  new OAuth2Client(request, { timeOut: 5 });
  // @ts-expect-error -- a request is immutable
  request.clientId = "other";

  const tokenOptions: AccessTokenOptions = { minTtl: 60, signal: undefined };
  const token: string = await client.accessToken(tokenOptions);
  const claims: JWTClaims = await client.decodeToken();
  const key: SigningKey | undefined = client.signingKey;
  const expiresAt: Date | undefined = client.expiresAt;
  const session: Session = client.session;

  const query: QueryParams = { folder: "All", limit: 200, deep: true, tag: ["a", "b"], none: undefined };
  const requestOptions: RequestOptions = { query, body: {}, headers: { accept: "*/*" } };
  const names: string[] = [];
  for await (const tag of session.list<Tag>("/", { query })) names.push(tag.name);
  const tag: Tag = await session.request<Tag>("POST", "/", requestOptions);
  const response: Response = await session.send("GET", "/", requestOptions);
  const clientSecret: ClientSecretFunction = ({ signal }) => Promise.resolve(String(signal.aborted));
  const other: AuthRequest = request.with({ tsgId: "2", clientSecret });
  // @ts-expect-error -- this is not a field
  request.with({ tenant: "2" });
  // @ts-expect-error -- this method is not supported
  void session.request("TRACE", "/");
  // @ts-expect-error -- a list request has no body
  session.list("/", { body: {} });
  const unsealed: UnsealedToken = await unsealToken(input, await sealToken(request, "token"), { minTtl: 60 });
  const file: AuthFileResult = await ensureAuthFile(request, { path: "auth.json", minTtl: 5 });
  const results = [unsealed, file, response, other.tsgId, await session.request(method, "/")];
  return [token, claims, key, expiresAt, names, tag, results];
}

export const toAuthError = (error: TokenExpiredError): AuthError => error;

export function describeError(error: unknown): string {
  if (ApiError.isApiError(error)) return `${error.status} ${error.code ?? ""} ${error.requestId ?? ""} ${error.hint}`;
  if (!AuthError.isAuthError(error)) return String(error);
  const issues: readonly ConfigIssue[] = error.issues;
  const code: AuthErrorCode = error.code;
  // @ts-expect-error -- this is not an error code
  if (code === "no_such_code") return "";
  return `${code} ${error.hint} ${error.retryAfterMs ?? 0} ${issues.map(({ field }) => field).join()}`;
}

/** Handles every event type. */
export function describeEvent(event: AuthEvent): string {
  switch (event.type) {
    case "request":
      return `${event.method} ${event.url} ${event.attempt} of ${event.maxAttempts}`;
    case "connection":
      return `${event.request} ${event.step} ${event.detail}`;
    case "response":
      return `${event.status} ${event.durationMs}`;
    case "retry":
      return `${event.delayMs} ${event.error.code}`;
    case "token":
      return `${event.scope} ${event.expiresAt?.toISOString() ?? ""}`;
    case "error":
      return event.error.hint;
  }
}

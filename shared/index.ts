export { ApiError, type ApiErrorDetails } from "./client/api-error.ts";
export type { ClientOptions } from "./client/client-options.ts";
export { OAuth2Client } from "./client/oauth2-client.ts";
export type { CallOptions, Query, QueryValue, Session } from "./client/session.ts";
export type { TokenWish } from "./client/token-source.ts";
export {
  ensureAuthFile,
  removeAuthFile,
  type AuthFileOptions,
  type EnsuredAuthFile,
} from "./handoff/ensure-auth-file.ts";
export {
  openToken,
  sealToken,
  type OpenedToken,
  type OpenOptions,
  type SealOptions,
  type TokenToSeal,
} from "./handoff/seal-and-open.ts";
export type { Milliseconds, Seconds } from "./clock.ts";
export type { HttpMethod } from "./http/send.ts";
export {
  AuthError,
  TokenExpiredError,
  type AuthErrorCode,
  type AuthErrorDetails,
  type AuthErrorKind,
} from "./report/errors.ts";
export type { AuthEvent, RequestName } from "./report/events.ts";
export type { Problem } from "./report/fields.ts";
export type { Hints } from "./report/hints.ts";
export { AuthRequest, type AuthRequestInput } from "./token/auth-request.ts";
export type { Claims } from "./token/claims.ts";
export type { SigningKey } from "./token/signing-keys.ts";

/**
 * Sign-ins to Palo Alto Networks Strata Cloud Manager, requests to its API, auth files, and sealed tokens.
 *
 * @module scm-auth
 */

export {
  ensureAuthFile,
  removeAuthFile,
  type AuthFileOptions,
  type AuthFileResult,
} from "./auth-file/ensure-auth-file.ts";
export { ApiError, type ApiErrorOptions } from "./api-error.ts";
export { AuthRequest, type AuthRequestInput, type AuthRequestResult } from "./auth-request.ts";
export type { ClientSecretFunction } from "./auth-request-schema.ts";
export type { ClientOptions } from "./client-options.ts";
export type { Milliseconds, Seconds } from "./clock.ts";
export {
  AuthError,
  TokenExpiredError,
  type AuthErrorCode,
  type AuthErrorKind,
  type AuthErrorOptions,
  type ConfigIssue,
} from "./errors.ts";
export type { AuthEvent, AuthEventListener, RequestName } from "./events.ts";
export type { HttpMethod } from "./http/request.ts";
export type { SigningKey } from "./jwks.ts";
export type { JWTClaims } from "./jwt.ts";
export { OAuth2Client, type SignalOptions } from "./oauth2-client.ts";
export type { CallOptions } from "./options.ts";
export {
  sealToken,
  unsealToken,
  type SealableToken,
  type SealTokenOptions,
  type UnsealedToken,
  type UnsealTokenOptions,
} from "./sealed-token.ts";
export type { Session } from "./session.ts";
export type { QueryParams, QueryParamValue, RequestOptions } from "./session-request.ts";
export type { AccessTokenOptions } from "./token-source.ts";

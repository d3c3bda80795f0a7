import type { AccessToken } from "../shared/access-token.ts";

/** A collection of values returned by getAccessToken. */
export interface GetAccessTokenResult {
  /** The string to send as `Authorization: Bearer <accessToken>`. */
  readonly accessToken: string;
  /** When the token expires: UTC, whole seconds (RFC 3339). */
  readonly expiresAt: string;
  /** The granted scope, separated by spaces. */
  readonly scope: string;
  /** The ID of the tenant (TSG); empty if there are several or none. */
  readonly tsgId: string;
}

/** What programs and the engine get of a verified token. */
export const toAccessTokenResult = ({ value, expiresAt, scope, tsgId = "" }: AccessToken): GetAccessTokenResult => ({
  accessToken: value,
  // A verified token has an expiration (claim `exp`).
  expiresAt: expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope,
  tsgId,
});

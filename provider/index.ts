/**
 * Credentials for Pulumi programs: an auth file for the `scm` provider, and access tokens.
 *
 * @module scm-auth/pulumi
 */

export type {
  AccessTokenArgs,
  AuthFileArgs,
  GetAccessTokenArgs,
  GetAccessTokenOutputArgs,
  SignInArgs,
} from "./args.ts";
export { getAccessToken, getAccessTokenOutput } from "./get-access-token.ts";
export { AccessToken, AuthFile } from "./resources.ts";
export type { GetAccessTokenResult } from "./service-accounts.ts";

export { AccessToken } from "./access-token.ts";
export type {
  AccessTokenArgs,
  AuthFileArgs,
  GetAccessTokenArgs,
  GetAccessTokenOutputArgs,
  SignInArgs,
} from "./args.ts";
export { AuthFile } from "./auth-file.ts";
export { getAccessToken, getAccessTokenOutput } from "./get-access-token.ts";
export type { GetAccessTokenResult } from "./access-token-result.ts";

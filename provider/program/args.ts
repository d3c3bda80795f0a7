import type * as pulumi from "@pulumi/pulumi";

/** What a sign-in may be given. What is left out is taken from the environment, or has a default. */
export interface SignInArgs {
  /**
   * The service account's client id: `name@<TSG id>.iam.panserviceaccount.com`. Default: `SCM_CLIENT_ID`. With it,
   * `tsgId` or `scope` given, neither `SCM_TSG_ID` nor `SCM_SCOPE` is looked at.
   */
  clientId?: pulumi.Input<string>;
  /** The service account's secret. It never gets into the state. Default: `SCM_CLIENT_SECRET`. */
  clientSecret?: pulumi.Input<string>;
  /**
   * The tenant service group's id, digits. Default: `SCM_TSG_ID`, or the tenant that the scope or the client id names.
   */
  tsgId?: pulumi.Input<string>;
  /** Words separated by spaces. Default: `SCM_SCOPE`, or `tsg_id:<tsgId>`. */
  scope?: pulumi.Input<string>;
  /** Where tokens are asked for, https. Default: `SCM_TOKEN_URL`, `SCM_AUTH_URL`, or Strata Cloud Manager's own. */
  tokenUrl?: pulumi.Input<string>;
  /** Where the signing keys are. Default: beside the token URL, at `connect/jwk_uri`. */
  jwksUrl?: pulumi.Input<string>;
  /** Certificates that are trusted beside those node trusts: PEM text, or the path of a file with it. */
  ca?: pulumi.Input<string>;
  /** Seconds for one sign-in, waits and repeats included, above 0 to 3600. Default: 60. */
  timeout?: pulumi.Input<number>;
  /** Repeats of a request after a failure that may pass, 0 to 20. Default: 3. */
  maxRetries?: pulumi.Input<number>;
  /**
   * Seconds of life that a token must have left to be used again, 0 to 86400. Default: 300, at most a third of its life.
   */
  minTtl?: pulumi.Input<number>;
}

/** The set of arguments for constructing an AuthFile resource. */
export interface AuthFileArgs extends SignInArgs {
  /** Where the file shall lie. A relative path is seen from the program's folder, and is the same on every machine. */
  path: pulumi.Input<string>;
}

/** The set of arguments for constructing an AccessToken resource. */
export type AccessTokenArgs = SignInArgs;

/** The arguments of getAccessTokenOutput. */
export interface GetAccessTokenOutputArgs extends SignInArgs {
  /** An auth file whose token is taken while it lives. */
  authFile?: pulumi.Input<string>;
}

/** The arguments of getAccessToken. */
export type GetAccessTokenArgs = { [Name in keyof GetAccessTokenOutputArgs]?: Plain<GetAccessTokenOutputArgs[Name]> };

type Plain<T> = T extends pulumi.Input<infer V> | undefined ? V : never;

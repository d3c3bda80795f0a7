import type * as pulumi from "@pulumi/pulumi";

/** How to sign in. An argument that is not set is read from the environment or has a default. */
export interface SignInArgs {
  /**
   * The client ID of the service account: `name@<TSG ID>.iam.panserviceaccount.com`. Default: `SCM_CLIENT_ID`. If this,
   * `tsgId`, or `scope` is set, `SCM_TSG_ID` and `SCM_SCOPE` are ignored.
   */
  clientId?: pulumi.Input<string>;
  /** The secret of the service account. It is never stored in the state. Default: `SCM_CLIENT_SECRET`. */
  clientSecret?: pulumi.Input<string>;
  /** The ID of the tenant service group, digits only. Default: `SCM_TSG_ID`, or the tenant in the scope or client ID. */
  tsgId?: pulumi.Input<string>;
  /** Scope-tokens separated by spaces. Default: `SCM_SCOPE`, or `tsg_id:<tsgId>`. */
  scope?: pulumi.Input<string>;
  /**
   * The URL of the token endpoint (https). Default: `SCM_TOKEN_URL`, `SCM_AUTH_URL`, or the token endpoint of Strata
   * Cloud Manager.
   */
  tokenUrl?: pulumi.Input<string>;
  /** The URL of the server's JWK Set (https). Default: `connect/jwk_uri` next to the token endpoint. */
  jwksUrl?: pulumi.Input<string>;
  /** CA certificates to trust in addition to Node's: PEM, or the path of a PEM file. */
  ca?: pulumi.Input<string>;
  /** Time limit for one sign-in, including retries, in seconds: greater than 0, at most 3600. Default: 60. */
  timeout?: pulumi.Input<number>;
  /** Maximum number of retries of a request after a temporary failure, 0 to 20. Default: 3. */
  maxRetries?: pulumi.Input<number>;
  /**
   * Minimum remaining lifetime for reusing a token, in seconds, 0 to 86400. Default: 300, or a third of the token's
   * lifetime if that is shorter.
   */
  minTtl?: pulumi.Input<number>;
}

/** The set of arguments for constructing an AuthFile resource. */
export interface AuthFileArgs extends SignInArgs {
  /** Path of the auth file, relative to the program's directory so that it is the same on every machine. */
  path: pulumi.Input<string>;
}

/** The set of arguments for constructing an AccessToken resource. */
export type AccessTokenArgs = SignInArgs;

/** The arguments of getAccessTokenOutput. */
export interface GetAccessTokenOutputArgs extends SignInArgs {
  /** Path of an auth file. Its token is used while it is valid. */
  authFile?: pulumi.Input<string>;
}

/** The arguments of getAccessToken. */
export type GetAccessTokenArgs = pulumi.Unwrap<GetAccessTokenOutputArgs>;

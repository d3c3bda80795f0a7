import * as pulumi from "@pulumi/pulumi";
import { expectTypeOf } from "expect-type";
import * as scmAuth from "scm-auth/pulumi";
import { AuthFile } from "scm-auth/pulumi";

/**
 * The public shapes of `scm-auth/pulumi`, held fast: compiled, never run, against the sources by `npm run types` and
 * against the packed package.
 */

declare const opts: pulumi.CustomResourceOptions;
declare const text: pulumi.Output<string>;
declare const seconds: Promise<number>;
declare const anything: unknown;

export function authFileShapes(): void {
  const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" }, opts);
  expectTypeOf(auth).toExtend<pulumi.CustomResource>();
  expectTypeOf(auth.path).toEqualTypeOf<pulumi.Output<string>>();
  new AuthFile("all", {
    ...{ path: text, clientId: text, clientSecret: text, tsgId: "1", scope: text, tokenUrl: text, jwksUrl: text },
    ...{ ca: text, timeout: seconds, maxRetries: 3, minTtl: pulumi.output(5) },
  });
  // @ts-expect-error -- the path is what it is about
  new AuthFile("none", {});
  // @ts-expect-error -- no such argument
  new AuthFile("wrong", { path: "a", tsg_id: "1" });
  // @ts-expect-error -- seconds are a number
  new AuthFile("wrong", { path: "a", timeout: "5s" });
  if (AuthFile.isInstance(anything)) expectTypeOf(anything).toEqualTypeOf<AuthFile>();
  expectTypeOf<scmAuth.AuthFileArgs>().toExtend<scmAuth.SignInArgs>();
}

export function accessTokenShapes(): void {
  const token = new scmAuth.AccessToken("token");
  expectTypeOf(new scmAuth.AccessToken("token", { tsgId: text }, opts)).toEqualTypeOf(token);
  for (const output of [token.accessToken, token.expiresAt, token.scope, token.tsgId])
    expectTypeOf(output).toEqualTypeOf<pulumi.Output<string>>();
  expectTypeOf<scmAuth.AccessTokenArgs>().not.toHaveProperty("path");
  if (scmAuth.AccessToken.isInstance(anything)) expectTypeOf(anything).toEqualTypeOf<scmAuth.AccessToken>();
}

export function functionShapes(): void {
  type Result = scmAuth.GetAccessTokenResult;
  expectTypeOf(scmAuth.getAccessToken()).resolves.toEqualTypeOf<Result>();
  expectTypeOf(scmAuth.getAccessTokenOutput()).toEqualTypeOf<pulumi.Output<Result>>();
  expectTypeOf(scmAuth.getAccessTokenOutput({ authFile: text }).accessToken).toEqualTypeOf<pulumi.Output<string>>();
  void scmAuth.getAccessToken({ authFile: "a.json", timeout: 5 });
  // @ts-expect-error -- a plain function takes plain arguments
  void scmAuth.getAccessToken({ authFile: text });
  expectTypeOf<Result["expiresAt"]>().toEqualTypeOf<string>();
  expectTypeOf<scmAuth.GetAccessTokenArgs["minTtl"]>().toEqualTypeOf<number | undefined>();
}

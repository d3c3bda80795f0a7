import * as pulumi from "@pulumi/pulumi";
import * as scmAuth from "scm-auth/pulumi";

/** Uses the public types of `scm-auth/pulumi`. Compiled against the sources and the packed package, but never run. */

export function useResources(
  text: pulumi.Output<string>,
  options: pulumi.CustomResourceOptions,
): pulumi.Output<string>[] {
  const file: scmAuth.AuthFile = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" }, options);
  new scmAuth.AuthFile("all", {
    ...{ path: text, clientId: text, clientSecret: text, tsgId: "1", scope: text, tokenUrl: text, jwksUrl: text },
    ...{ ca: text, timeout: Promise.resolve(5), maxRetries: 3, minTtl: pulumi.output(5) },
  });
  // @ts-expect-error -- the path is required
  new scmAuth.AuthFile("none", {});
  // @ts-expect-error -- this is not an argument
  new scmAuth.AuthFile("unknown", { path: "a", tsg_id: "1" });
  // @ts-expect-error -- a timeout is a number of seconds
  new scmAuth.AuthFile("unit", { path: "a", timeout: "5s" });
  const token = new scmAuth.AccessToken("token", { tsgId: text }, options);
  return [file.path, token.accessToken, token.expiresAt, token.scope, token.tsgId];
}

export async function useFunctions(text: pulumi.Output<string>): Promise<unknown> {
  const result: scmAuth.GetAccessTokenResult = await scmAuth.getAccessToken({ authFile: "a.json", timeout: 5 });
  // @ts-expect-error -- getAccessToken() does not accept outputs
  void scmAuth.getAccessToken({ authFile: text });
  const output: pulumi.Output<string> = scmAuth.getAccessTokenOutput({ authFile: text }).accessToken;
  return [result.expiresAt, output];
}

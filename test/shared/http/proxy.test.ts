import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { proxyFailure, proxyFor } from "../../../shared/http/proxy.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { setVariables } from "../../support/variables.ts";

type Variables = Readonly<Record<string, string>>;

const NAMES = ["https_proxy", "http_proxy", "no_proxy", "all_proxy"].flatMap((name) => [name, name.toUpperCase()]);

/** Gives a test these proxy variables and no others. */
function setProxyVariables(t: TestContext, variables: Variables): void {
  setVariables(t, { ...Object.fromEntries(NAMES.map((name) => [name, undefined])), ...variables });
}

const SCM = "https://auth.scm.test/token";
const P = "http://proxy.test:3128";

const scenes: readonly (readonly [what: string, variables: Variables, url: string, proxy: string | undefined])[] = [
  ["no variable", {}, SCM, undefined],
  ["https_proxy", { https_proxy: P }, SCM, P],
  ["HTTPS_PROXY", { HTTPS_PROXY: P }, SCM, P],
  ["both cases: the lower one", { https_proxy: P, HTTPS_PROXY: "http://other.test:1" }, SCM, P],
  ["a blank one", { https_proxy: "" }, SCM, undefined],
  ["one for http alone", { http_proxy: P, HTTP_PROXY: P }, SCM, undefined],
  ["http_proxy for an http URL", { http_proxy: P }, "http://auth.scm.test/", P],
  ["all_proxy, which is not usual", { all_proxy: P, ALL_PROXY: P }, SCM, undefined],
  ["a proxy that speaks TLS", { https_proxy: "https://proxy.test" }, SCM, "https://proxy.test"],
  ["an address without a scheme", { https_proxy: "10.0.0.1:3128" }, SCM, "http://10.0.0.1:3128"],
  ["no_proxy of this host", { https_proxy: P, no_proxy: "auth.scm.test" }, SCM, undefined],
  ["NO_PROXY of this host", { https_proxy: P, NO_PROXY: "AUTH.scm.test" }, SCM, undefined],
  ["no_proxy of its domain", { https_proxy: P, no_proxy: "a.test, scm.test" }, SCM, undefined],
  ["no_proxy of its domain with a dot", { https_proxy: P, no_proxy: ".scm.test" }, SCM, undefined],
  ["no_proxy of its port", { https_proxy: P, no_proxy: "auth.scm.test:443" }, SCM, undefined],
  ["no_proxy of another port", { https_proxy: P, no_proxy: "auth.scm.test:8443" }, SCM, P],
  ["no_proxy of all", { https_proxy: P, no_proxy: "*" }, SCM, undefined],
  ["no_proxy of a name that only ends alike", { https_proxy: P, no_proxy: "cm.test" }, SCM, P],
  ["localhost", { https_proxy: P }, "https://localhost:8443/", undefined],
  ["loopback", { https_proxy: P }, "https://127.0.0.1:8443/", undefined],
  ["loopback of IPv6", { https_proxy: P }, "https://[::1]:8443/", undefined],
  ["a broken proxy that is not asked", { https_proxy: "::", no_proxy: "scm.test" }, SCM, undefined],
];
for (const [what, variables, url, proxy] of scenes) {
  test(`the way goes ${proxy === undefined ? "directly" : `through ${proxy}`}: ${what}`, (t) => {
    setProxyVariables(t, variables);
    assert.equal(proxyFor(new URL(url))?.href, proxy === undefined ? undefined : `${proxy}/`);
  });
}

test("user and password of a proxy are decoded", (t) => {
  setProxyVariables(t, { https_proxy: "http://us%40er:p%3Aw%2F@proxy.test:1" });
  const proxy = proxyFor(new URL(SCM));
  assert.deepEqual([proxy?.username, proxy?.password], ["us@er", "p:w/"]);
});

const BROKEN = [
  "proxy.test:3128", "localhost:3128", "socks5://user:s3cret@proxy.test:1", "http://", "http://user:s3cret@",
  "http://user:s3cret%zz@proxy.test", "user:s3cret@proxy.test:3128", "http://proxy.test:99999", "ftp://proxy.test", "?",
]; // prettier-ignore
for (const value of BROKEN) {
  test(`a variable of ${JSON.stringify(value)} is an error that shows its name, not its value`, (t) => {
    for (const name of ["https_proxy", "HTTPS_PROXY"]) {
      setProxyVariables(t, { [name]: value });
      assert.throws(
        () => proxyFor(new URL(SCM)),
        (error) => {
          assert.ok(AuthError.isAuthError(error));
          assert.deepEqual([error.code, error.kind, error.retryable], ["proxy_invalid", "config", false]);
          assert.match(error.message, /https_proxy/i);
          assert.doesNotMatch(`${error.message} ${error.stack ?? ""}`, /s3cret/);
          return true;
        },
      );
    }
  });
}

const NOT_ESTABLISHED = "tunneling socket could not be established, ";
const failures: readonly (readonly [message: string, code: string | undefined, retryable: boolean])[] = [
  [`${NOT_ESTABLISHED}statusCode=407`, "proxy_auth_required", false],
  [`${NOT_ESTABLISHED}statusCode=403`, "proxy_refused", false],
  [`${NOT_ESTABLISHED}statusCode=405`, "proxy_refused", false],
  [`${NOT_ESTABLISHED}statusCode=408`, "proxy_refused", true],
  [`${NOT_ESTABLISHED}statusCode=429`, "proxy_refused", true],
  [`${NOT_ESTABLISHED}statusCode=502`, "proxy_refused", true],
  [`${NOT_ESTABLISHED}statusCode=503`, "proxy_refused", true],
  [`${NOT_ESTABLISHED}cause=connect ECONNREFUSED 127.0.0.1:1`, "proxy_unreachable", true],
  [`${NOT_ESTABLISHED}cause=getaddrinfo ENOTFOUND s3cret`, "proxy_unreachable", true],
  ["got illegal response body from proxy", "proxy_unreachable", true],
  ["socket hang up", undefined, false],
];
for (const [message, code, retryable] of failures) {
  test(`a tunnel's "${message}" is ${code ?? "no failure of the proxy"}`, () => {
    const error = proxyFailure(Object.assign(new Error(message), { code: "ECONNRESET" }), "auth.scm.test");
    assert.deepEqual([error?.code, error?.retryable ?? false], [code, retryable]);
    assert.doesNotMatch(error?.message ?? "", /s3cret/);
  });
}

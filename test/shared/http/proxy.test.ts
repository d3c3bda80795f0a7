import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { proxyFailure, proxyFor, proxyPasswords } from "../../../shared/http/proxy.ts";
import { AuthError, type AuthErrorCode } from "../../../shared/report/errors.ts";
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
  "xhttp://proxy.test", "httpx://proxy.test",
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
const AUTH_WANTED = "the proxy wants a user and a password, or refuses those given (407).";
const refused = (status: number): string => `the proxy answered ${status} instead of connecting to auth.scm.test.`;
const unreachable = (reason: string): string => `the proxy can't be reached (${reason}).`;
type Row = readonly [
  message: string,
  code: AuthErrorCode,
  kind: "network" | "rejected",
  retryable: boolean,
  said: string,
];
const failures: readonly Row[] = [
  [`${NOT_ESTABLISHED}statusCode=407`, "proxy_auth_required", "network", false, AUTH_WANTED],
  [`${NOT_ESTABLISHED}statusCode=403`, "proxy_refused", "rejected", false, refused(403)],
  [`${NOT_ESTABLISHED}statusCode=405`, "proxy_refused", "rejected", false, refused(405)],
  [`${NOT_ESTABLISHED}statusCode=408`, "proxy_refused", "network", true, refused(408)],
  [`${NOT_ESTABLISHED}statusCode=429`, "proxy_refused", "network", true, refused(429)],
  [`${NOT_ESTABLISHED}statusCode=500`, "proxy_refused", "network", true, refused(500)],
  [`${NOT_ESTABLISHED}statusCode=502`, "proxy_refused", "network", true, refused(502)],
  [`${NOT_ESTABLISHED}statusCode=503`, "proxy_refused", "network", true, refused(503)],
  [`${NOT_ESTABLISHED}cause=connect ECONNREFUSED 127.0.0.1:1`, "proxy_unreachable", "network", true, unreachable("ECONNREFUSED")],
  [`${NOT_ESTABLISHED}cause=getaddrinfo ENOTFOUND s3cret`, "proxy_unreachable", "network", true, unreachable("ENOTFOUND")],
  [`${NOT_ESTABLISHED}cause=socket hang up`, "proxy_unreachable", "network", true, unreachable("ECONNRESET")],
  [`${NOT_ESTABLISHED}cause=unable to verify the first certificate`, "untrusted_certificate", "network", false, "the certificate of the proxy is not trusted."],
  [`${NOT_ESTABLISHED}cause=self-signed`, "untrusted_certificate", "network", false, "the certificate of the proxy is not trusted."],
  [`${NOT_ESTABLISHED}cause=self signed`, "untrusted_certificate", "network", false, "the certificate of the proxy is not trusted."],
  ["got illegal response body from proxy", "proxy_unreachable", "network", true, unreachable("ECONNRESET")],
]; // prettier-ignore
for (const [message, code, kind, retryable, said] of failures) {
  test(`a tunnel's "${message}" is ${code}`, () => {
    const error = proxyFailure(Object.assign(new Error(message), { code: "ECONNRESET" }), "auth.scm.test");
    assert.ok(error);
    assert.deepEqual([error.code, error.kind, error.retryable, error.requestSent], [code, kind, retryable, false]);
    assert.ok(error.message.endsWith(`: ${said}`), error.message);
    assert.equal(error.status, message.includes("statusCode=") ? Number(message.slice(-3)) : undefined);
  });
}

test("a tunnel that failed without a word of why has no connection", () => {
  const error = proxyFailure(new Error(`${NOT_ESTABLISHED}cause=`), "auth.scm.test");
  assert.ok(error?.message.endsWith(unreachable("no connection")), error?.message);
});

for (const message of ["socket hang up", "a tunneling socket", "the server got illegal response body from proxy"]) {
  test(`"${message}" is no failure of the proxy`, () => {
    assert.equal(proxyFailure(new Error(message), "auth.scm.test"), undefined);
    assert.equal(proxyFailure(message, "auth.scm.test"), undefined);
  });
}

/** The passwords of proxies, by what stands in a variable. */
const PASSWORDS: readonly (readonly [value: string | undefined, passwords: readonly string[]])[] = [
  [undefined, []],
  ["", []],
  [P, []],
  ["http://user@proxy.test", []],
  ["http://user:pass@proxy.test", ["pass"]],
  ["http://user:abc@proxy.test", []],
  ["http://:no-user@proxy.test", ["no-user"]],
  ["socks5://user:word@proxy.test", ["word"]],
  ["user:no-scheme@proxy.test:3128", ["no-scheme"]],
  ["http://us:er:p%40ss:word@proxy.test", ["er:p%40ss:word", "er:p@ss:word"]],
  ["http://user:broken%zz@proxy.test", ["broken%zz"]],
  ["http://proxy.test/path:word@x", []],
];
for (const [value, passwords] of PASSWORDS) {
  test(`the passwords of a proxy variable of ${JSON.stringify(value)} are ${JSON.stringify(passwords)}`, () => {
    for (const name of ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"])
      assert.deepEqual(proxyPasswords({ [name]: value, all_proxy: "http://u:not-this@proxy.test" }), passwords);
  });
}

test("the passwords of all proxy variables are told, each once", () => {
  const [one, other] = ["http://user:pass-1@proxy.test", "http://user:pass-2@proxy.test"];
  assert.deepEqual(proxyPasswords({ https_proxy: one, HTTPS_PROXY: other, http_proxy: one }), ["pass-1", "pass-2"]);
});

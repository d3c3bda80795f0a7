import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthError } from "../../../shared/errors.ts";
import { HINTS } from "../../../shared/hints.ts";
import { describeIgnoredEntries, getConnectionHint, getProxy, getProxyPasswords } from "../../../shared/http/proxy.ts";
import { setProxyVariables } from "./attempts.ts";

type Variables = Readonly<Record<string, string>>;

const SCM = "https://auth.scm.test/token";
const P = "http://proxy.test:3128";

const PROXIES: readonly (readonly [what: string, Variables, url: string, proxy: string | undefined])[] = [
  ["no variable", {}, SCM, undefined],
  ["https_proxy", { https_proxy: P }, SCM, P],
  ["HTTPS_PROXY", { HTTPS_PROXY: P }, SCM, P],
  ["both the lowercase and the uppercase variable", { https_proxy: P, HTTPS_PROXY: "http://other.test:1" }, SCM, P],
  ["an empty variable", { https_proxy: "" }, SCM, undefined],
  ["variables for http only", { http_proxy: P, HTTP_PROXY: P }, SCM, undefined],
  ["all_proxy", { all_proxy: P, ALL_PROXY: P }, SCM, undefined],
  ["an https proxy", { https_proxy: "https://proxy.test" }, SCM, "https://proxy.test"],
  ["a trailing slash", { https_proxy: `${P}/` }, SCM, P],
  ["an address without a scheme", { https_proxy: "10.0.0.1:3128" }, SCM, "http://10.0.0.1:3128"],
  ["a host name without a scheme", { https_proxy: "proxy.test:3128" }, SCM, P],
  ["the host in no_proxy", { https_proxy: P, no_proxy: "auth.scm.test" }, SCM, undefined],
  ["the host in NO_PROXY", { https_proxy: P, NO_PROXY: "AUTH.scm.test" }, SCM, undefined],
  ["the domain in no_proxy", { https_proxy: P, no_proxy: "a.test, scm.test" }, SCM, undefined],
  ["the host after a space in no_proxy", { https_proxy: P, no_proxy: "a.test auth.scm.test" }, SCM, undefined],
  ["the domain with a leading dot in no_proxy", { https_proxy: P, no_proxy: ".scm.test" }, SCM, undefined],
  ["the domain with an asterisk in no_proxy", { https_proxy: P, no_proxy: "a, *.SCM.test" }, SCM, undefined],
  ["an asterisk and the port in no_proxy", { https_proxy: P, no_proxy: "*.scm.test:443" }, SCM, undefined],
  ["an asterisk and another port in no_proxy", { https_proxy: P, no_proxy: "*.scm.test:8443" }, SCM, P],
  ["an asterisk before the host itself in no_proxy", { https_proxy: P, no_proxy: "*.auth.scm.test" }, SCM, P],
  ["the host and port in no_proxy", { https_proxy: P, no_proxy: "auth.scm.test:443" }, SCM, undefined],
  ["the host and another port in no_proxy", { https_proxy: P, no_proxy: "auth.scm.test:8443" }, SCM, P],
  ["all hosts in no_proxy", { https_proxy: P, no_proxy: "*" }, SCM, undefined],
  ["a mere suffix of the domain in no_proxy", { https_proxy: P, no_proxy: "cm.test" }, SCM, P],
  ["a localhost URL", { https_proxy: P }, "https://localhost:8443/", undefined],
  ["an IPv4 loopback URL", { https_proxy: P, http_proxy: P }, "http://127.0.0.1:8080/", undefined],
  ["an IPv6 loopback URL", { https_proxy: P }, "https://[::1]:8443/", undefined],
  ["an invalid proxy that is not used", { https_proxy: "::", no_proxy: "scm.test" }, SCM, undefined],
];
for (const [what, variables, url, expected] of PROXIES) {
  test(`uses ${expected ?? "no proxy"} with ${what}`, (t) => {
    setProxyVariables(t, variables);
    const proxy = getProxy(new URL(url));
    assert.equal(proxy?.url.href, expected === undefined ? undefined : `${expected}/`);
    if (proxy) assert.equal(variables[proxy.variable], variables["https_proxy"] ?? variables["HTTPS_PROXY"]);
  });
}

test("returns a proxy's host and port and its decoded credentials", (t) => {
  for (const [value, host, user, password] of [
    ["http://us%40er:p%3Aw%2F@proxy.test", "proxy.test:80", "us@er", "p:w/"],
    ["https://user:p@ss@proxy.test", "proxy.test:443", "user", "p@ss"],
    ["http://CORP%5Cuser:password@proxy.test:1", "proxy.test:1", "CORP\\user", "password"],
    ["user:password@proxy.test:3128", "proxy.test:3128", "user", "password"],
  ] as const) {
    setProxyVariables(t, { HTTPS_PROXY: value });
    const proxy = getProxy(new URL(SCM));
    assert.deepEqual([proxy?.host, proxy?.username, proxy?.password], [host, user, password]);
    assert.equal(proxy?.variable, "HTTPS_PROXY");
  }
});

const INVALID = [
  " ", "socks5://user:s3cret@proxy.test:1", "http://", "http://user:s3cret@",
  "http://user:s3cret%zz@proxy.test", "http://proxy.test:99999", "ftp://proxy.test", "?",
  "xhttp://proxy.test", "httpx://proxy.test", "http://CORP\\user:s3cret@proxy.test:1", `"${P}"`, `'${P}'`, "'proxy.test'", "CORP\\",
  "http://proxy.test:3128/path", "http://proxy.test:3128/?q", "http://proxy.test:3128#x", "http://user:1/s3cret@proxy.test",
]; // prettier-ignore
test("names the variable, but not its value, in the error for an invalid proxy URL", (t) => {
  for (const value of INVALID) {
    for (const name of ["https_proxy", "HTTPS_PROXY"]) {
      setProxyVariables(t, { [name]: value });
      assert.throws(
        () => getProxy(new URL(SCM)),
        (error) => {
          assert.ok(AuthError.isAuthError(error), value);
          assert.deepEqual([error.code, error.kind, error.retryable], ["proxy_url_invalid", "config", false]);
          assert.equal(error.message, `Configuration error: ${name} is not a valid proxy URL.`);
          assert.doesNotMatch(error.stack ?? "", /s3cret/);
          return true;
        },
      );
    }
  }
});

const UNUSED: readonly (readonly [Variables, url: string, reason: RegExp | undefined])[] = [
  [{}, SCM, undefined],
  [{ HTTP_PROXY: P }, SCM, /^HTTP_PROXY is set, but it is not used for https URLs\. Set https_proxy .*\. Otherwise: /],
  [{ all_proxy: P }, SCM, /^all_proxy is set/],
  [{ http_proxy: P, ALL_PROXY: P }, SCM, /^http_proxy is set/],
  [{ http_proxy: P, https_proxy: P }, SCM, undefined],
  [{ HTTPS_PROXY: P, no_proxy: "*.scm.test" }, SCM, /^no_proxy excludes auth\.scm\.test from the proxy in HTTPS_PROXY\. /],
  [{ https_proxy: P, no_proxy: "auth*" }, SCM, /^no_proxy contains entries that are ignored: auth\*\. .* Otherwise: /],
  [{ http_proxy: P, no_proxy: "*.scm.test" }, SCM, undefined],
  [{ http_proxy: P }, "https://localhost/", undefined],
  [{ http_proxy: P, https_proxy: P }, "http://127.0.0.1/", undefined],
]; // prettier-ignore
for (const [variables, url, reason] of UNUSED) {
  test(`the hint for ${url} ${reason ? "explains" : "does not mention"} ${JSON.stringify(variables)}`, (t) => {
    setProxyVariables(t, variables);
    const hint = getConnectionHint("connect_timeout", new URL(url));
    if (reason) assert.match(hint, reason);
    else assert.equal(hint, HINTS.connect_timeout);
  });
}

test("names entries of no_proxy that are not understood, but no password and no range that cannot apply", (t) => {
  const understood = "a.test, .a.test, *.a.test, a_b.test:443, 10.0.0.1, 10.0.0.1:80, [::1], [fd00::1]:443";
  const other = `https://u:s3cret@a.test:1/ a*.test;b.test "c.test"`;
  for (const [entries, url, ignored] of [
    [understood, SCM, undefined],
    ["10.0.0.0/8, fd00::/8, ::1", SCM, undefined],
    ["10.0.0.0/8, ::1, [::1]", "https://10.0.0.1/", "10.0.0.0/8, : :1"],
    [`${understood}, ${other}`, SCM, 'a.test:1/, a*.test;b.test, "c.test"'],
    [`${other}, *`, SCM, undefined],
  ] as const) {
    setProxyVariables(t, { https_proxy: P, NO_PROXY: entries });
    const expected = `NO_PROXY contains entries that are ignored: ${ignored}. Use host names or domains, separated by commas.`;
    assert.equal(describeIgnoredEntries(new URL(url)), ignored && expected);
  }
  setProxyVariables(t, { no_proxy: other });
  assert.equal(describeIgnoredEntries(new URL(SCM)), undefined);
});

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
  ["http://user:p@ss@word@proxy.test", ["p@ss@word"]],
  ["http://user:pa/ss@proxy.test", ["pa/ss"]],
  ["http://CORP\\user:password@proxy.test", ["password"]],
  ['"http://user:password@proxy.test"', ["password"]],
  ["http://user:broken%zz@proxy.test", ["broken%zz"]],
  ["http:///user:password@proxy.test", ["password"]],
  ["http://user:pass\nword@proxy.test", ["pass\nword", "password"]],
  ["http://proxy.test/path:word@x", []],
];
for (const [value, passwords] of PASSWORDS) {
  test(`finds the passwords ${JSON.stringify(passwords)} in ${JSON.stringify(value)}`, () => {
    for (const name of ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"])
      assert.deepEqual(getProxyPasswords({ [name]: value }), passwords);
  });
}

test("finds the passwords in all proxy variables without duplicates", () => {
  const [one, two] = ["http://user:pass-1@proxy.test", "http://user:pass-2@proxy.test"];
  assert.deepEqual(getProxyPasswords({ https_proxy: one, HTTPS_PROXY: two, http_proxy: one }), ["pass-1", "pass-2"]);
});

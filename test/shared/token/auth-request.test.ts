import assert from "node:assert/strict";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";

import { inputNames } from "../../../action/inputs.ts";
import { Redactor } from "../../../shared/report/redactor.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { AuthRequest, type AuthRequestInput } from "../../../shared/token/auth-request.ts";
import { DEFAULT_TOKEN_URL } from "../../../shared/token/request-fields.ts";
import * as fc from "../../support/fuzzing.ts";
import { foreignText, usualSecret } from "../../support/texts.ts";

/** Any certificate will do. */
const ca = rootCertificates[0] ?? "";

const good: AuthRequestInput = {
  clientId: "ci@1234567890.iam.panserviceaccount.com",
  clientSecret: "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10",
  tsgId: "1234567890",
};

/** What a reader sees is in the reader's names: no `{tsgId}` is left. */
function assertNoPlaceholder({ message, hint, problems }: AuthError): void {
  assert.doesNotMatch(JSON.stringify([message, hint, problems]), /\{\w+\}/);
}

/** What is wrong with an input: its problems as text, none if it is taken. Throws what is no AuthError. */
function problemsOf(input: AuthRequestInput): readonly string[] {
  try {
    AuthRequest.parse(input);
    return [];
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    assert.deepEqual([error.kind, error.code], ["config", "invalid_config"]);
    assert.ok(error.problems.length > 0, "it was refused without a reason");
    assert.ok(error.problems.every(({ hint, reason }) => hint !== "" && reason !== ""));
    assertNoPlaceholder(error);
    return error.problems.map(({ field, reason }) => `${field} ${reason}`);
  }
}

const FIELDS = ["clientId", "clientSecret", "tsgId", "scope", "tokenUrl", "jwksUrl", "issuer", "ca"] as const;

/** What each field must not be. Each alone is one problem. */
const BAD: Readonly<Record<(typeof FIELDS)[number], readonly (string | undefined)[]>> = {
  clientId: [undefined, "", " \n", "a b", "a\u0000b", "a\nb", "a\u00a0b"],
  clientSecret: [undefined, "", "\t", "line\nline", "a\u0000b", "a\u001b[0mb", "a\u0085b"],
  tsgId: ["abc", "1e9", "12 34", "-1", "1.0", "0x10", "tsg_id:", "tsg_id: 1", "1".repeat(21), "١٢", "${{ vars.TSG }}"],
  scope: ['tsg_id:1234567890 a"b', "tsg_id:1234567890 é", "tsg_id:1234567890\nx", "a\\b", "tsg_id:", "tsg_id", "tsg_id:1x"],
  tokenUrl: [
    "auth", "http://auth.scm.test/", "ftp://auth.scm.test/", "https://", "https://u@auth.scm.test/",
    "https://u:p@auth.scm.test/", "https://:p@auth.scm.test/", "https://auth.scm.test/?a", "https://auth.scm.test/?", "https://auth.scm.test/#",
    "https://auth.scm.test/a b", "https://auth.scm.test/\nx", "http://127.0.0.1.evil.test/", "http://localhost.evil.test/",
    "javascript:alert(1)", "file:///etc/passwd", "https://auth.scm.test:99999/", "http://[::2]/", "http://10.0.0.1/",
  ],
  jwksUrl: ["auth", "http://auth.scm.test/", "https://u:p@auth.scm.test/", "https://auth.scm.test/?a#b"],
  issuer: ["a\nb", "a\u0000b"],
  ca: ["ca.pem", "-----BEGIN CERTIFICATE-----", ca.replace(/[A-Za-z]{9}/, "AAAAAAAAA"), `${ca}${ca.slice(0, 99)}\n-----END CERTIFICATE-----`, `${ca.slice(0, 99)}\n${ca}`, `${ca}\n${ca.slice(99)}`],
}; // prettier-ignore

for (const field of FIELDS) {
  test(`what ${field} must not be is one problem that names it`, () => {
    for (const value of BAD[field]) {
      const problems = problemsOf({ ...good, [field]: value });
      assert.equal(problems.length, 1, `${JSON.stringify(value)}: ${problems.join()}`);
      assert.ok(problems[0]?.startsWith(`${field} `), `${JSON.stringify(value)}: ${problems.join()}`);
    }
  });
}

const [, another = ""] = rootCertificates;

/** Texts that OpenSSL, which goes by lines, would read in part or not at all. */
const CERTIFICATES: Readonly<Record<string, string>> = {
  "each on lines of its own": `${ca}\n${another}`,
  "with no line end between": `${ca}${another}`,
  "indented": `  ${ca}\n  ${another}`,
  "behind a remark on the same line": `ours: ${ca}\ntheirs: ${another}`,
  "with a remark on the last line": `${ca} # ours\n${another} # theirs`,
  "beside a key": `-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----${ca}${another}`,
}; // prettier-ignore
for (const [how, text] of Object.entries(CERTIFICATES)) {
  test(`certificates that are given ${how} are all taken, and nothing else`, () => {
    assert.equal(AuthRequest.parse({ ...good, ca: text }).ca, `${ca}\n${another}`);
  });
}

const badFields = fc
  .subarray([...FIELDS], { minLength: 2 })
  .chain((fields) =>
    fc.record(Object.fromEntries(fields.map((field) => [field, fc.constantFrom(...BAD[field])] as const))),
  );

test("all problems are told at once: together they are those of each field alone", () => {
  fc.assert(
    fc.property(badFields, (bad) => {
      const alone = Object.entries(bad).flatMap(([field, value]) => problemsOf({ ...good, [field]: value }));
      assert.deepEqual(new Set(problemsOf({ ...good, ...bad })), new Set(alone));
    }),
    { numRuns: 300 },
  );
});

const anyValue = fc.option(
  fc.oneof(
    foreignText,
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
    fc.constantFrom(ca, "1", "tsg_id:1"),
  ),
  { nil: undefined },
);
const anyInput: fc.Arbitrary<AuthRequestInput> = fc.record(
  Object.fromEntries(FIELDS.map((field) => [field, fc.oneof(anyValue, fc.constantFrom(...BAD[field]))] as const)),
);
const space = fc.constantFrom("", "", " ", "\n", "\t ", "\u00a0");
const inner = fc.constantFrom("", "\n", "\u0000", "\u0085");

test("whatever is given, nothing but an AuthError is thrown, and nothing that is told shows the secret", () => {
  fc.assert(
    fc.property(anyInput, fc.uuid(), space, inner, (input, secret, around, within) => {
      const clientSecret = `${around}${secret}${within}${secret}${around}`;
      const told: string[] = [];
      try {
        const request = AuthRequest.parse({ ...input, clientSecret });
        told.push(...request.notices, inspect(request, { showHidden: true, depth: 9 }), JSON.stringify(request));
      } catch (error) {
        assert.ok(AuthError.isAuthError(error), String(error));
        told.push(inspect(error, { showHidden: true, depth: 9 }), JSON.stringify(error), error.stack ?? "", error.hint);
      }
      const all = told.join("\n");
      assert.equal(new Redactor([secret]).redact(all), all);
    }),
    { numRuns: 300 },
  );
});

const validInput = fc.record({
  clientId: fc.string({ unit: fc.constantFrom(..."abcXYZ019@.-_+é"), minLength: 1, maxLength: 30 }),
  clientSecret: usualSecret,
  tsgId: fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }).map(String),
  extra: fc.array(
    fc.string({ unit: fc.constantFrom(..."abc:./-_!~#$%&'()*+,;<=>?@[]^`{|}"), minLength: 1, maxLength: 9 }),
    { maxLength: 3 },
  ),
  host: fc.domain(),
  path: fc.constantFrom("", "/", "/a/b", "/am/oauth2/access_token"),
  issuer: fc.constantFrom(undefined, "https://auth.scm.test:443/am/oauth2"),
});

test("what is valid comes through as it was given, white space around it aside", () => {
  fc.assert(
    fc.property(validInput, space, ({ clientId, clientSecret, tsgId, extra, host, path, issuer }, around) => {
      const scope = [...new Set([`tsg_id:${tsgId}`, ...extra])].join(" ");
      const tokenUrl = `https://${host}${path}`;
      const input = { clientId, clientSecret, tsgId, scope, tokenUrl, jwksUrl: tokenUrl, issuer, ca };
      const spaced = Object.fromEntries(
        Object.entries(input).map(([field, value]) => [field, value && `${around}${value}${around}`]),
      );
      const request = AuthRequest.parse(spaced);
      assert.deepEqual(
        {
          ...request,
          clientSecret: request.clientSecret,
          tokenUrl: request.tokenUrl.href,
          jwksUrl: request.jwksUrl.href,
        },
        {
          ...{ clientId, clientSecret, scope, issuer, ca: ca.trim(), tenants: [tsgId] },
          ...{ tokenUrl: new URL(tokenUrl).href, jwksUrl: new URL(tokenUrl).href },
          notices:
            around === "" ? [] : ["clientId", "clientSecret"].map((id) => `White space around ${id} was taken off.`),
        },
      );
    }),
  );
});

/** How tenant and scope come about (design, "AuthRequest"). */
const tenants: readonly (readonly [
  what: string,
  input: AuthRequestInput,
  scope: string,
  tenants: readonly string[],
])[] = [
  ["the tenant", { tsgId: "42" }, "tsg_id:42", ["42"]],
  ["the tenant as a scope word", { tsgId: "tsg_id:42" }, "tsg_id:42", ["42"]],
  ["the client id alone", { tsgId: "" }, "tsg_id:1234567890", ["1234567890"]],
  ["the client id in capitals", { tsgId: "", clientId: "CI@42.IAM.panserviceaccount.com" }, "tsg_id:42", ["42"]],
  ["the tenant, not the client id", { tsgId: "7" }, "tsg_id:7", ["7"]],
  ["a scope that agrees", { scope: "tsg_id:1234567890 profile" }, "tsg_id:1234567890 profile", ["1234567890"]],
  ["a scope alone", { tsgId: "", scope: "tsg_id:1 tsg_id:2" }, "tsg_id:1 tsg_id:2", ["1", "2"]],
  ["a scope without a tenant", { tsgId: "", scope: "profile" }, "profile", []],
  ["a scope of odd spaces and words that repeat", { tsgId: "", scope: " b  a b " }, "b a", []],
];
for (const [what, input, scope, named] of tenants) {
  test(`the scope is "${scope}" by ${what}`, () => {
    const request = AuthRequest.parse({ ...good, ...input });
    assert.deepEqual([request.scope, request.tenants], [scope, named]);
  });
}

test("what was assumed is told: the tenant of the client id, and a tenant that nobody checks", () => {
  const noticesOf = (input: AuthRequestInput) => AuthRequest.parse({ ...good, ...input }).notices.join();
  assert.match(noticesOf({ tsgId: "" }), /^Tenant 1234567890 is taken from the client id/);
  assert.match(noticesOf({ tsgId: "", scope: "profile" }), /not checked/);
  assert.equal(noticesOf({}), "");
});

const foreign: readonly (readonly [scope: string, write: string])[] = [
  ["tsg_id:2", "tsg_id:1234567890"],
  ["tsg_id:2 profile", "tsg_id:1234567890 profile"],
  ["tsg_id:1234567890 tsg_id:2", "tsg_id:1234567890"],
  ["profile", "tsg_id:1234567890 profile"],
  ["tsg_id:12345678901", "tsg_id:1234567890"],
];
for (const [scope, write] of foreign) {
  test(`a scope of "${scope}" is for another tenant, and the one to write is shown`, () => {
    assert.throws(
      () => AuthRequest.parse({ ...good, scope }),
      (error) => {
        assert.ok(AuthError.isAuthError(error));
        assert.deepEqual(
          error.problems.map(({ field }) => field),
          ["scope"],
        );
        assert.ok(error.problems[0]?.hint.startsWith(`Write ${write}, or`), error.problems[0]?.hint);
        return true;
      },
    );
  });
}

test("of a scope that is made of what is wrong nothing is said", () => {
  const { clientSecret = "" } = good;
  const inputs: readonly AuthRequestInput[] = [
    { clientId: "a b" },
    { clientId: "x", tsgId: "abc" },
    { clientId: "x", scope: "é" },
  ];
  assert.deepEqual(
    inputs.map((input) => problemsOf({ clientSecret, ...input }).length),
    [1, 1, 1],
  );
});

test("only a service account's own name names its tenant", () => {
  for (const clientId of ["a@b@1.iam.panserviceaccount.com", "ci@1.iam.panserviceaccount.com.evil.test"])
    assert.equal(problemsOf({ ...good, clientId, tsgId: undefined }).length, 1, clientId);
});

test("a request of another copy of the package is recognised, and nothing else is", async () => {
  const url = new URL("../../../shared/token/auth-request.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly AuthRequest: typeof AuthRequest };
  const foreign = copy.AuthRequest.parse(good);
  assert.ok(!(foreign instanceof AuthRequest) && AuthRequest.isAuthRequest(foreign));
  // Copies of other versions know each other by this.
  assert.ok(Symbol.for("scm-auth.AuthRequest") in foreign);
  for (const value of [null, undefined, "text", 1, {}, good, () => undefined])
    assert.ok(!AuthRequest.isAuthRequest(value));
});

test("a request prints as one line, without its secret", () => {
  assert.equal(
    inspect(AuthRequest.parse(good)),
    `AuthRequest { ${good.clientId ?? ""} tsg_id:1234567890 ${DEFAULT_TOKEN_URL} }`,
  );
});

test("a tenant that nothing names is missing", () => {
  assert.deepEqual(problemsOf({ ...good, tsgId: "", clientId: "someone" }), [
    "tsgId is missing and the client id names no tenant",
  ]);
});

const urls: readonly (readonly [tokenUrl: string, jwksUrl: string])[] = [
  ["", "https://auth.apps.paloaltonetworks.com/am/oauth2/connect/jwk_uri"],
  [
    "https://auth.apps.paloaltonetworks.com:443/auth/v1/oauth2/access_token",
    "https://auth.apps.paloaltonetworks.com/am/oauth2/connect/jwk_uri",
  ],
  ["https://auth.scm.test/am/oauth2/access_token", "https://auth.scm.test/am/oauth2/connect/jwk_uri"],
  ["https://auth.scm.test/token", "https://auth.scm.test/connect/jwk_uri"],
  ["https://auth.scm.test", "https://auth.scm.test/connect/jwk_uri"],
  ["http://127.0.0.1:8080/a/token", "http://127.0.0.1:8080/a/connect/jwk_uri"],
  ["http://localhost:8080/token", "http://localhost:8080/connect/jwk_uri"],
  ["http://[::1]:8080/token", "http://[::1]:8080/connect/jwk_uri"],
];
for (const [tokenUrl, jwksUrl] of urls) {
  test(`keys stand beside the token URL: ${tokenUrl || "the default"}`, () => {
    const request = AuthRequest.parse({ ...good, tokenUrl });
    assert.equal(request.jwksUrl.href, jwksUrl);
    assert.equal(request.tokenUrl.href, new URL(tokenUrl || DEFAULT_TOKEN_URL).href);
  });
}

test("certificates are found among text, in any number and with either line end", () => {
  for (const text of [`# ours\n${ca}\n${ca}`, ca.replaceAll("\n", "\r\n"), ` ${ca}`])
    assert.deepEqual(problemsOf({ ...good, ca: text }), []);
});

const env = { SCM_CLIENT_ID: good.clientId, SCM_CLIENT_SECRET: good.clientSecret, SCM_TSG_ID: good.tsgId };

test("a request is taken from the environment", () => {
  const request = AuthRequest.fromEnv(env);
  assert.deepEqual(
    [request.clientId, request.clientSecret, request.scope, request.tokenUrl.href],
    [good.clientId, good.clientSecret, "tsg_id:1234567890", DEFAULT_TOKEN_URL],
  );
  assert.equal(AuthRequest.fromEnv({ ...env, SCM_SCOPE: "tsg_id:1234567890 email" }).scope, "tsg_id:1234567890 email");
  assert.equal(AuthRequest.fromEnv({ ...env, SCM_TSG_ID: " " }).scope, "tsg_id:1234567890");
});

test("without an argument it is the process's own environment", () => {
  const names = Object.keys(env);
  const before = names.map((name) => process.env[name]);
  Object.assign(process.env, env);
  try {
    assert.equal(AuthRequest.fromEnv().clientSecret, good.clientSecret);
  } finally {
    for (const [n, name] of names.entries()) {
      if (before[n] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[n];
    }
  }
});

const A = "https://a.scm.test/access_token";
const B = "https://b.scm.test/access_token";
const tokenUrls: readonly (readonly [what: string, variables: Record<string, string>, url: string])[] = [
  ["SCM_TOKEN_URL", { SCM_TOKEN_URL: A }, A],
  ["SCM_AUTH_URL, as the vendor's tools call it", { SCM_AUTH_URL: B }, B],
  ["SCM_TOKEN_URL before SCM_AUTH_URL", { SCM_TOKEN_URL: A, SCM_AUTH_URL: B }, A],
  ["SCM_AUTH_URL when the other is blank", { SCM_TOKEN_URL: "  ", SCM_AUTH_URL: B }, B],
  ["the default when both are blank", { SCM_TOKEN_URL: "", SCM_AUTH_URL: "" }, DEFAULT_TOKEN_URL],
  ["SCM_TOKEN_URL, white space around it taken off", { SCM_TOKEN_URL: ` ${A}\n` }, A],
];
for (const [what, variables, url] of tokenUrls) {
  test(`the token URL of the environment is ${what}`, () => {
    assert.equal(AuthRequest.fromEnv({ ...env, ...variables }).tokenUrl.href, url);
  });
}

/** What is said of an environment that is refused. */
function refusalOf(variables: Record<string, string | undefined>): AuthError {
  try {
    AuthRequest.fromEnv({ ...env, ...variables });
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.deepEqual([error.kind, error.code], ["config", "invalid_config"]);
    return error;
  }
  throw new assert.AssertionError({ message: "it was taken" });
}

const badVariables: readonly (readonly [name: string, value: string | undefined])[] = [
  ["SCM_CLIENT_ID", undefined],
  ["SCM_CLIENT_ID", "a b"],
  ["SCM_CLIENT_SECRET", " "],
  ["SCM_CLIENT_SECRET", "a\nb"],
  ["SCM_TSG_ID", "abc"],
  ["SCM_SCOPE", "é"],
  ["SCM_SCOPE", "tsg_id:2"],
  ["SCM_TOKEN_URL", "auth.apps.paloaltonetworks.com"],
  ["SCM_TOKEN_URL", "https://auth.scm.test"],
  ["SCM_TOKEN_URL", "http://auth.scm.test/access_token"],
  ["SCM_TOKEN_URL", "https://auth.scm.test/access_token?a"],
  ["SCM_AUTH_URL", "https://auth.scm.test/oauth2"],
];
for (const [name, value] of badVariables) {
  test(`what is wrong with ${name}=${JSON.stringify([value])} is one problem, told by the variable's name`, () => {
    const error = refusalOf({ [name]: value });
    const [problem, ...others] = error.problems;
    assert.ok(problem);
    assert.equal(problem.field, name);
    assert.equal(error.message, `Authentication error: ${name} ${problem.reason}.`);
    assert.equal(others.length, 0, error.message);
    assertNoPlaceholder(error);
  });
}

test("what is wrong between two variables names both, in the reason and in what to do", () => {
  const [problem] = refusalOf({ SCM_SCOPE: "tsg_id:2 email" }).problems;
  assert.deepEqual(problem, {
    field: "SCM_SCOPE",
    reason: "is for another tenant than SCM_TSG_ID",
    hint: "Write tsg_id:1234567890 email, or leave SCM_SCOPE out.",
  });
});

test("what was assumed is told in the names by which it was given, and in any others that are asked for", () => {
  const request = AuthRequest.fromEnv({ ...env, SCM_CLIENT_ID: ` ${good.clientId}`, SCM_TSG_ID: "" });
  const told = (names: readonly [clientId: string, tsgId: string]) => [
    `White space around ${names[0]} was taken off.`,
    `Tenant 1234567890 is taken from the client id; ${names[1]} would name another.`,
  ];
  assert.deepEqual(request.notices, told(["SCM_CLIENT_ID", "SCM_TSG_ID"]));
  assert.deepEqual(request.noticesWith(inputNames), told(["client-id", "tsg-id"]));
  assert.deepEqual(
    AuthRequest.parse({ ...good, clientId: ` ${good.clientId}`, tsgId: "" }).notices,
    told(["clientId", "tsgId"]),
  );
});

test("all that is wrong with the environment is told at once, without the secret", () => {
  const secret = "not\nallowed-3f0d8ab2";
  const error = refusalOf({ SCM_CLIENT_ID: "", SCM_CLIENT_SECRET: secret, SCM_TSG_ID: "x", SCM_AUTH_URL: "y" });
  for (const name of ["SCM_CLIENT_ID", "SCM_CLIENT_SECRET", "SCM_TSG_ID", "SCM_AUTH_URL"])
    assert.ok(error.message.includes(`${name} `), error.message);
  assert.equal(error.problems.length, 4);
  assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /3f0d8ab2/);
});

const pythonNames: readonly (readonly [theirs: string, ours: string])[] = [
  ["client_id", "clientId"],
  ["client_secret", "clientSecret"],
  ["tsg_id", "tsgId"],
  ["token_url", "tokenUrl"],
];
for (const [theirs, ours] of pythonNames) {
  test(`${theirs} of the Python model is named in the error, with ${ours} to write`, () => {
    assert.deepEqual(problemsOf({ ...good, [theirs]: "x" }), [`${theirs} is called ${ours} here`]);
  });
}

test("scope is called the same in Python, and a name that nobody knows is told with those that are known", () => {
  assert.deepEqual(problemsOf({ ...good, scope: "tsg_id:1234567890" }), []);
  assert.throws(
    () => AuthRequest.parse({ ...good, clientid: "x" } as object),
    (error) => {
      assert.ok(AuthError.isAuthError(error));
      const [problem, ...others] = error.problems;
      assert.deepEqual([problem?.field, problem?.reason, others], ["clientid", "is no field of a sign-in", []]);
      assert.equal(problem?.hint, `Known are ${FIELDS.join(", ")}.`);
      return true;
    },
  );
});

test("names that every object has are not taken for ours", () => {
  for (const name of ["constructor", "__proto__x", "toString"])
    assert.deepEqual(problemsOf({ ...good, [name]: "x" }), [`${name} is no field of a sign-in`]);
});

test("values that are no text are problems like others", () => {
  assert.ok(problemsOf({ ...good, tsgId: 1234567890 as unknown as string }).length <= 1);
  assert.deepEqual(problemsOf({ ...good, clientSecret: {} as unknown as string }).length, 1);
});

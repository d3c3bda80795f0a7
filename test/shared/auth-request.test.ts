import assert from "node:assert/strict";
import { randomUUID, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";

import { DEFAULT_TOKEN_URL, FIELDS, type FieldName } from "../../shared/auth-request-schema.ts";
import { AuthRequest, toAuthRequest, type AuthRequestInput } from "../../shared/auth-request.ts";
import { AuthError, type ConfigIssue } from "../../shared/errors.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { foreignText, usualSecret } from "../support/texts.ts";
import { setVariables } from "../support/variables.ts";

type Input = Partial<AuthRequestInput>;

const [ca = "", otherCa = ""] = rootCertificates.map((pem) => new X509Certificate(pem).toString().trim());
const CLIENT_ID = "ci@1234567890.iam.panserviceaccount.com";
const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const valid = { clientId: CLIENT_ID, clientSecret: SECRET, tsgId: "1234567890" };

const parse = (input: Input): AuthRequest => AuthRequest.parse({ ...valid, ...input });

/** Returns the issues found in an input, or none if it is valid. */
function getIssues(input: Input): readonly ConfigIssue[] {
  const result = AuthRequest.safeParse(input);
  if ("request" in result) return [];
  assert.ok(result.issues.length > 0);
  for (const { field, message, hint } of result.issues) assert.ok(field !== "" && message !== "" && hint !== "");
  return result.issues;
}
const toTexts = (issues: readonly ConfigIssue[]): readonly string[] =>
  issues.map(({ field, message }) => `${field} ${message}`);

/** Returns the config error that `call` throws. */
function getError(call: () => unknown): AuthError {
  try {
    call();
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.deepEqual([error.kind, error.code], ["config", "invalid_config"]);
    return error;
  }
  return assert.fail("no error");
}

// Fields

const INVALID: Readonly<Record<FieldName, readonly (string | undefined)[]>> = {
  clientId: [undefined, "", " \n", "a b", "a\u0000b", "a\nb", "a\u00a0b", '"ci"', "c\u200bi", "c\u00adi", "c\u2011i", "c\ufe0fi", "c\u3164i", "c\uff0di", '{"client_id":"ci"}'],
  clientSecret: [undefined, "", "\t", "line\nline", "a\u0000b", "a\u001b[0mb", "a\u0085b", `"${SECRET}"`, "'a'", '{"a":1}'],
  tsgId: ["abc", "1e9", "12 34", "-1", "1.0", "0x10", "tsg_id:", "tsg_id: 1", "1".repeat(21), "١٢", "${{ vars.TSG }}", '"1"', "1\u200b"],
  scope: ['tsg_id:1234567890 a"b', "tsg_id:1234567890 é", "tsg_id:1234567890\nx", "a\\b", "tsg_id:", "tsg_id", "tsg_id:1x"],
  tokenUrl: [
    "auth", "http://auth.scm.test/", "ftp://auth.scm.test/", "https://", "https://u@auth.scm.test/",
    "https://u:p@auth.scm.test/", "https://:p@auth.scm.test/", "https://auth.scm.test/?a", "https://auth.scm.test/?", "https://auth.scm.test/#",
    "https://auth.scm.test/a b", "https://auth.scm.test/\nx", "http://127.0.0.1.evil.test/", "http://localhost.evil.test/",
    "javascript:alert(1)", "file:///etc/passwd", "https://auth.scm.test:99999/", "http://[::2]/", "http://10.0.0.1/",
  ],
  jwksUrl: ["auth", "http://auth.scm.test/", "https://u:p@auth.scm.test/", "https://auth.scm.test/?a#b"],
  issuer: ["a\nb", "a\u0000b"],
  ca: ["ca.pem", "-----BEGIN CERTIFICATE-----", ca.replace("MII", "AAA")],
}; // prettier-ignore

for (const field of FIELDS) {
  test(`reports each invalid ${field} as one issue that names the field`, () => {
    for (const value of INVALID[field]) {
      const issues = getIssues({ ...valid, [field]: value });
      assert.deepEqual(
        issues.map((issue) => issue.field),
        [field],
        JSON.stringify(value),
      );
    }
  });
}

/** Common mistakes, each of which has its own message. */
const MISTAKES: readonly (readonly [name: string, input: Input, text: string, hint: string])[] = [
  ["a missing secret", { clientSecret: "" }, "clientSecret is required", "unset variable or secret"],
  ["a secret in quotes", { clientSecret: `"${SECRET}"` }, "clientSecret is enclosed in quotes", "Remove the quotes"],
  ["a secret in typographic quotes", { clientSecret: `“${SECRET}”` }, "clientSecret is enclosed in quotes", "Remove the quotes"],
  ["a JSON document as the secret", { clientSecret: `{\n"clientSecret":"${SECRET}"}` }, "clientSecret is a JSON document", "only this value"],
  ["a truncated JSON document as the secret", { clientSecret: `{ "client_secret": "${SECRET}",` }, "clientSecret is a JSON document", "only this value"],
  ["a Python dictionary as the secret", { clientSecret: `{'client_secret': '${SECRET}'}` }, "clientSecret is a JSON document", "only this value"],
  ["a JSON document as the ID", { clientId: `{"id":"${CLIENT_ID}","secret":"${SECRET}"}` }, "clientId is a JSON document", "only this value"],
  ["a line of an env file as the secret", { clientSecret: `SCM_CLIENT_SECRET=${SECRET}` }, "clientSecret starts with its name", "after the ="],
  ["a label in the ID", { clientId: `Client ID: ${CLIENT_ID}` }, "clientId starts with its name", "the colon"],
  ["a swapped ID and secret", { clientId: SECRET, clientSecret: CLIENT_ID, tsgId: "" }, "clientSecret looks like a client ID", "swapped"],
  ["a TSG ID in quotes", { tsgId: '"1234567890"' }, "tsgId is enclosed in quotes", "env file"],
  ["a scope in quotes", { tsgId: "", scope: "'tsg_id:1234567890'" }, "scope is enclosed in quotes", "Remove the quotes"],
  ["a URL in quotes", { tokenUrl: '"https://auth.scm.test/access_token"' }, "tokenUrl is enclosed in quotes", "Remove the quotes"],
  ["a client ID in quotes", { clientId: `'${CLIENT_ID}'` }, "clientId is enclosed in quotes", "Remove the quotes"],
  ["a zero-width space in the ID", { clientId: `\u200b${CLIENT_ID}` }, "clientId contains U+200B, which is invisible or looks like another character", "Remove this character"],
  ["a non-breaking hyphen in the ID", { clientId: CLIENT_ID.replace("ci", "c\u2011i") }, "clientId contains U+2011, which is invisible or looks like another character", "Remove this character"],
  ["a soft hyphen in a URL", { tokenUrl: "https://auth.scm.test/acc\u00adess_token" }, "tokenUrl contains U+00AD, which is invisible or looks like another character", "Remove this character"],
  ["an http URL", { tokenUrl: "http://auth.scm.test/access_token" }, "tokenUrl is not an https URL", "localhost only"],
  ["a path instead of certificates", { ca: "/etc/ssl/ca.pem" }, "ca is the path of a file", "content of the file"],
  ["no tenant", { tsgId: "", clientId: "someone" }, "tsgId is required: the client ID does not contain a tenant", "TSG"],
]; // prettier-ignore
for (const [name, input, text, hint] of MISTAKES) {
  test(`AuthRequest reports ${name} with its own message`, () => {
    const [issue, ...others] = getIssues({ ...valid, ...input });
    assert.ok(issue);
    assert.deepEqual([toTexts([issue]), others], [[text], []]);
    assert.ok(issue.hint.includes(hint), issue.hint);
    assert.equal(issue.code, text.includes("is required") ? "required" : undefined);
  });
}

test("throws one error for all issues from parse, and returns them from safeParse", () => {
  const input = { ...valid, clientId: "", tsgId: "x" };
  const error = getError(() => AuthRequest.parse(input));
  assert.deepEqual(error.issues, getIssues(input));
  assert.equal(error.message, "Configuration error: clientId is required; tsgId must contain digits only.");
});

test("reports the issues of all fields at once", () => {
  const invalidFields = fc
    .subarray([...FIELDS], { minLength: 2 })
    .chain((fields) =>
      fc.record(Object.fromEntries(fields.map((field) => [field, fc.constantFrom(...INVALID[field])] as const))),
    );
  fc.assert(
    fc.property(invalidFields, (invalid) => {
      const alone = Object.entries(invalid).flatMap(([field, value]) => getIssues({ ...valid, [field]: value }));
      assert.deepEqual(new Set(toTexts(getIssues({ ...valid, ...invalid }))), new Set(toTexts(alone)));
    }),
    { numRuns: countRuns(200) },
  );
});

const whitespace = fc.constantFrom("", "", " ", "\n", "\t ", "\u00a0");

test("throws only AuthErrors, and never reveals the secret", () => {
  const values = fc.option(
    fc.oneof(foreignText, fc.webUrl({ withQueryParameters: true }), fc.constantFrom(ca, "1", "tsg_id:1")),
    { nil: undefined },
  );
  const inputs: fc.Arbitrary<Input> = fc.record(
    Object.fromEntries(FIELDS.map((field) => [field, fc.oneof(values, fc.constantFrom(...INVALID[field]))] as const)),
  );
  fc.assert(
    fc.property(inputs, fc.uuid(), whitespace, fc.constantFrom("", "\n", "\u0000"), (input, secret, around, inner) => {
      const shown: string[] = [];
      try {
        const request = parse({ ...input, clientSecret: `${around}${secret}${inner}${secret}${around}` });
        shown.push(...request.warnings, inspect(request, { showHidden: true, depth: 9 }), JSON.stringify(request));
      } catch (error) {
        assert.ok(AuthError.isAuthError(error), String(error));
        shown.push(inspect(error, { showHidden: true, depth: 9 }), JSON.stringify(error), error.hint);
      }
      assertNoSecret({ shown: shown.join("\n") }, [secret]);
    }),
    { numRuns: countRuns(200) },
  );
});

const validInputs = fc.record({
  clientId: fc.string({ unit: fc.constantFrom(..."abcXYZ019@.-_+é"), minLength: 1, maxLength: 30 }),
  clientSecret: usualSecret.filter((secret) => !/^["'].*["']$/.test(secret)),
  tsgId: fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }).map(String),
  extra: fc.array(
    fc.string({ unit: fc.constantFrom(..."abc:./-_!~#$%&'()*+,;<=>?@[]^`{|}"), minLength: 1, maxLength: 9 }),
    { maxLength: 3 },
  ),
  host: fc.domain(),
  path: fc.constantFrom("", "/", "/a/b", "/am/oauth2/access_token"),
  issuer: fc.constantFrom(undefined, "https://auth.scm.test:443/am/oauth2"),
});

test("keeps valid values unchanged except for surrounding whitespace", () => {
  fc.assert(
    fc.property(validInputs, whitespace, ({ clientId, clientSecret, tsgId, extra, host, path, issuer }, around) => {
      const scope = [...new Set([`tsg_id:${tsgId}`, ...extra])].join(" ");
      const tokenUrl = `https://${host}${path}`;
      const input = { clientId, clientSecret, tsgId, scope, tokenUrl, jwksUrl: tokenUrl, issuer, ca };
      const padded = Object.fromEntries(
        Object.entries(input).map(([field, value]) => [field, value && `${around}${value}${around}`]),
      );
      const request = parse(padded);
      assert.equal(request.clientSecret, clientSecret);
      assert.deepEqual(
        { ...request },
        {
          ...{
            clientId,
            scope,
            issuer,
            ca,
            tsgId,
            tsgIds: [tsgId],
            tokenUrl: new URL(tokenUrl),
            jwksUrl: new URL(tokenUrl),
          },
          warnings:
            around === "" ? [] : ["client ID", "client secret"].map((name) => `Trimmed whitespace around the ${name}.`),
        },
      );
    }),
  );
});

test("AuthRequest accepts URL objects as its URLs", () => {
  const { tokenUrl, jwksUrl } = parse({ tokenUrl: "https://auth.scm.test/token" });
  assert.deepEqual(parse({ tokenUrl, jwksUrl }).jwksUrl.href, "https://auth.scm.test/connect/jwk_uri");
});

test("AuthRequest reduces ca to its certificates and treats a blank ca as missing", () => {
  assert.equal(parse({ ca: `# ours\n  ${ca}${otherCa}` }).ca, `${ca}\n${otherCa}`);
  assert.equal(parse({ ca: " " }).ca, undefined);
});

test("reports values that are not strings", () => {
  assert.deepEqual(toTexts(getIssues({ ...valid, clientSecret: {} as string })), ["clientSecret must be a string"]);
  assert.deepEqual(toTexts(getIssues({ ...valid, tsgId: 1 as unknown as string })), ["tsgId must be a string"]);
  const error = getError(() => AuthRequest.parse(undefined as unknown as AuthRequestInput));
  assert.deepEqual(toTexts(error.issues), ["clientId is required", "clientSecret is required"]);
});

test("reports unknown fields, and suggests the new name for fields of the Python model", () => {
  for (const [name, suggestion] of [
    ["client_id", "clientId"],
    ["client_secret", "clientSecret"],
    ["tsg_id", "tsgId"],
    ["token_url", "tokenUrl"],
  ] as const)
    assert.deepEqual(toTexts(getIssues({ ...valid, [name]: "x" })), [
      `${name} is not a valid field; did you mean ${suggestion}?`,
    ]);
  for (const name of ["clientid", "constructor", "toString"])
    assert.deepEqual(toTexts(getIssues({ ...valid, [name]: "x" })), [`${name} is not a valid field`]);
});

// Scope and tenant

const SCOPES: readonly (readonly [name: string, input: Input, scope: string, tsgIds: readonly string[]])[] = [
  ["the TSG ID", { tsgId: "42" }, "tsg_id:42", ["42"]],
  ["a TSG ID written as a scope-token", { tsgId: "tsg_id:42" }, "tsg_id:42", ["42"]],
  ["the client ID", { tsgId: "" }, "tsg_id:1234567890", ["1234567890"]],
  ["a client ID in uppercase", { tsgId: "", clientId: "CI@42.IAM.panserviceaccount.com" }, "tsg_id:42", ["42"]],
  ["the TSG ID rather than the client ID", { tsgId: "7" }, "tsg_id:7", ["7"]],
  ["a matching scope", { scope: "tsg_id:1234567890 profile" }, "tsg_id:1234567890 profile", ["1234567890"]],
  ["a scope without a TSG ID", { tsgId: "", scope: "tsg_id:1 tsg_id:2" }, "tsg_id:1 tsg_id:2", ["1", "2"]],
  ["a scope without a tenant", { tsgId: "", scope: "profile" }, "profile", []],
  ["a scope with duplicates and spaces", { tsgId: "", scope: " b  a b " }, "b a", []],
];
for (const [name, input, scope, tsgIds] of SCOPES) {
  test(`derives the scope from ${name}`, () => {
    const request = parse(input);
    assert.deepEqual([request.scope, request.tsgIds], [scope, tsgIds]);
  });
}

test("AuthRequest warns about an assumed tenant, a scope without a tenant, and a suspect secret", () => {
  const getWarnings = (input: Input): readonly string[] => parse(input).warnings;
  assert.deepEqual(getWarnings({}), []);
  assert.deepEqual(getWarnings({ tsgId: "" }), [
    "Using tenant 1234567890 from the client ID. Set the TSG ID to use another tenant.",
  ]);
  assert.deepEqual(getWarnings({ tsgId: "", scope: "profile" }), [
    "The scope contains no tsg_id, so the token's tenant is not verified.",
  ]);
  for (const character of ["\u200b", "\u00ad", "\u2011", "\u00a0", "\ufe0f", "\u2800"])
    assert.match(getWarnings({ clientSecret: `a${character}b` }).join(), /^The client secret contains .*invisible/);
});

const MISMATCHES: readonly (readonly [scope: string, expected: string])[] = [
  ["tsg_id:2", "tsg_id:1234567890"],
  ["tsg_id:2 profile", "tsg_id:1234567890 profile"],
  ["tsg_id:1234567890 tsg_id:2", "tsg_id:1234567890"],
  ["profile", "tsg_id:1234567890 profile"],
  ["tsg_id:12345678901", "tsg_id:1234567890"],
];
for (const [scope, expected] of MISMATCHES) {
  test(`rejects a scope of "${scope}" that does not match the TSG ID, and suggests one that does`, () => {
    const message = "does not match the TSG ID";
    assert.deepEqual(getIssues({ ...valid, scope }), [
      { field: "scope", message, hint: `Use "${expected}" or omit the scope.` },
    ]);
  });
}

test("derives a tenant only from the client ID of a service account", () => {
  for (const clientId of ["a@b@1.iam.panserviceaccount.com", "ci@1.iam.panserviceaccount.com.evil.test"])
    assert.deepEqual(toTexts(getIssues({ ...valid, clientId, tsgId: undefined })), [
      "tsgId is required: the client ID does not contain a tenant",
    ]);
});

test("does not check the scope while a field that it depends on is invalid", () => {
  for (const input of [{ clientId: "a b" }, { clientId: "x", tsgId: "abc" }, { clientId: "x", scope: "é" }])
    assert.equal(getIssues({ clientSecret: SECRET, ...input }).length, 1);
});

// URLs

const JWKS_URLS: readonly (readonly [tokenUrl: string, jwksUrl: string])[] = [
  ["", "https://auth.apps.paloaltonetworks.com/am/oauth2/connect/jwk_uri"],
  [
    "https://auth.apps.paloaltonetworks.com:443/auth/v1/oauth2/access_token",
    "https://auth.apps.paloaltonetworks.com/am/oauth2/connect/jwk_uri",
  ],
  ["https://auth.scm.test/am/oauth2/access_token", "https://auth.scm.test/am/oauth2/connect/jwk_uri"],
  ["https://auth.scm.test", "https://auth.scm.test/connect/jwk_uri"],
  ["http://127.0.0.1:8080/a/token", "http://127.0.0.1:8080/a/connect/jwk_uri"],
  ["http://localhost:8080/token", "http://localhost:8080/connect/jwk_uri"],
  ["http://[::1]:8080/token", "http://[::1]:8080/connect/jwk_uri"],
];
test("derives the default JWKS URL from the token URL, and uses a fixed URL for SCM", () => {
  for (const [tokenUrl, jwksUrl] of JWKS_URLS) {
    const request = parse({ tokenUrl });
    assert.equal(request.jwksUrl.href, jwksUrl);
    assert.equal(request.tokenUrl.href, new URL(tokenUrl || DEFAULT_TOKEN_URL).href);
  }
});

// The class

test("recognizes only AuthRequests, including those created by another copy of the package", async () => {
  const copy = (await import(`${new URL("../../shared/auth-request.ts", import.meta.url).href}?copy`)) as {
    readonly AuthRequest: typeof AuthRequest;
  };
  const foreign = copy.AuthRequest.parse(valid);
  assert.ok(!(foreign instanceof AuthRequest) && AuthRequest.isAuthRequest(foreign));
  assert.ok(Symbol.for("scm-auth.AuthRequest") in foreign);
  assert.equal(toAuthRequest(foreign), foreign);
  assert.equal(toAuthRequest(valid).clientId, CLIENT_ID);
  for (const value of [null, undefined, "text", 1, {}, valid, () => undefined])
    assert.ok(!AuthRequest.isAuthRequest(value));
});

test("is printed as one line without the secret", () => {
  assert.equal(inspect(parse({})), `AuthRequest { ${CLIENT_ID} tsg_id:1234567890 ${DEFAULT_TOKEN_URL} }`);
});

// Environment

const env = { SCM_CLIENT_ID: CLIENT_ID, SCM_CLIENT_SECRET: SECRET, SCM_TSG_ID: "42" };

test("fromEnv reads the given variables, or those of the process by default", (t) => {
  const { clientId, clientSecret, scope, tokenUrl } = AuthRequest.fromEnv(env);
  assert.deepEqual([clientId, clientSecret, scope, tokenUrl.href], [CLIENT_ID, SECRET, "tsg_id:42", DEFAULT_TOKEN_URL]);
  assert.equal(AuthRequest.fromEnv({ ...env, SCM_SCOPE: "tsg_id:42 email" }).scope, "tsg_id:42 email");
  assert.equal(AuthRequest.fromEnv({ ...env, SCM_TSG_ID: " " }).scope, "tsg_id:1234567890");
  setVariables(t, { ...env, SCM_SCOPE: undefined, SCM_TOKEN_URL: undefined, SCM_AUTH_URL: undefined });
  assert.equal(AuthRequest.fromEnv().clientSecret, SECRET);
});

const A = "https://a.scm.test/access_token";
const B = "https://b.scm.test/access_token";
const TOKEN_URLS: readonly (readonly [name: string, variables: Record<string, string>, url: string])[] = [
  ["SCM_TOKEN_URL", { SCM_TOKEN_URL: ` ${A}\n` }, A],
  ["SCM_AUTH_URL", { SCM_AUTH_URL: B }, B],
  ["SCM_TOKEN_URL rather than SCM_AUTH_URL", { SCM_TOKEN_URL: A, SCM_AUTH_URL: B }, A],
  ["SCM_AUTH_URL if SCM_TOKEN_URL is blank", { SCM_TOKEN_URL: "  ", SCM_AUTH_URL: B }, B],
  ["the default if both are blank", { SCM_TOKEN_URL: "", SCM_AUTH_URL: "" }, DEFAULT_TOKEN_URL],
];
for (const [name, variables, url] of TOKEN_URLS) {
  test(`fromEnv takes the token URL from ${name}`, () => {
    assert.equal(AuthRequest.fromEnv({ ...env, ...variables }).tokenUrl.href, url);
  });
}

const INVALID_VARIABLES: readonly (readonly [name: string, value: string | undefined, message: string])[] = [
  ["SCM_CLIENT_ID", undefined, "is required"],
  ["SCM_CLIENT_SECRET", " ", "is required"],
  ["SCM_CLIENT_SECRET", "a\nb", "contains a line break or a control character"],
  ["SCM_TSG_ID", "abc", "must contain digits only"],
  ["SCM_TSG_ID", '"42"', "is enclosed in quotes"],
  ["SCM_SCOPE", "é", "contains an invalid scope-token (RFC 6749 section 3.3)"],
  ["SCM_SCOPE", "tsg_id:2", "does not match the TSG ID"],
  ["SCM_TOKEN_URL", "auth.apps.paloaltonetworks.com", "does not end in /access_token"],
  ["SCM_TOKEN_URL", "http://auth.scm.test/access_token", "is not an https URL"],
  ["SCM_TOKEN_URL", `"${A}"`, "is enclosed in quotes"],
  ["SCM_AUTH_URL", "https://auth.scm.test/oauth2", "does not end in /access_token"],
];
for (const [name, value, message] of INVALID_VARIABLES) {
  test(`fromEnv reports that ${name} ${message}`, () => {
    const error = getError(() => AuthRequest.fromEnv({ ...env, [name]: value }));
    assert.equal(error.message, `Configuration error: ${name} ${message}.`);
    assert.deepEqual(toTexts(error.issues), [`${name} ${message}`]);
  });
}

test("fromEnv reports all issues at once without revealing the secret", () => {
  const variables = { SCM_CLIENT_ID: "", SCM_CLIENT_SECRET: `not\n${SECRET}`, SCM_TSG_ID: "x", SCM_AUTH_URL: "y" };
  const error = getError(() => AuthRequest.fromEnv(variables));
  assert.deepEqual(error.issues.map(({ field }) => field).sort(), Object.keys(variables).sort());
  assertNoSecret({ error: inspect(error, { depth: 9, showHidden: true }) }, [SECRET]);
});

test("fromArgs reads missing values from the environment", () => {
  const variables = { ...env, SCM_AUTH_URL: A };
  const given = AuthRequest.fromArgs({ clientSecret: "given", tokenUrl: B }, variables);
  assert.deepEqual(
    [given.clientId, given.clientSecret, given.scope, given.tokenUrl.href],
    [CLIENT_ID, "given", "tsg_id:42", B],
  );
  const fields = ["clientId", "clientSecret", "tsgId", "scope", "tokenUrl"];
  for (const value of ["", undefined]) {
    const input = Object.fromEntries(fields.map((field) => [field, value]));
    assert.deepEqual({ ...AuthRequest.fromArgs(input, variables) }, { ...AuthRequest.fromEnv(variables) });
  }
});

test("fromArgs ignores the tenant in the environment if another identity is given", () => {
  const variables = { ...env, SCM_SCOPE: "tsg_id:42" };
  assert.equal(AuthRequest.fromArgs({ clientId: "me@7.iam.panserviceaccount.com" }, variables).scope, "tsg_id:7");
  assert.equal(AuthRequest.fromArgs({ tsgId: "8" }, variables).scope, "tsg_id:8");
  assert.equal(AuthRequest.fromArgs({ scope: "tsg_id:9" }, env).scope, "tsg_id:9");
});

test("fromArgs names each field by its argument or variable, or by both if neither is set", () => {
  const getTexts = (input: Input, variables: Record<string, string>): readonly string[] =>
    toTexts(getError(() => AuthRequest.fromArgs(input, variables)).issues);
  assert.deepEqual(getTexts({ tsgId: "x" }, { SCM_CLIENT_ID: "a b" }), [
    "SCM_CLIENT_ID contains whitespace or control characters",
    "clientSecret (or SCM_CLIENT_SECRET) is required",
    "tsgId must contain digits only",
  ]);
  assert.deepEqual(getTexts({ clientSecret: " " }, env), ["clientSecret is required"]);
  const host = { ...env, SCM_AUTH_URL: "https://env.test" };
  assert.deepEqual(getTexts({}, host), ["SCM_AUTH_URL does not end in /access_token"]);
  assert.equal(AuthRequest.fromArgs({ tokenUrl: A }, host).tokenUrl.href, A);
});

// Copies

test("reads fields that are accessors of a class", () => {
  class Fields {
    readonly clientId = "ci@1234567890.iam.panserviceaccount.com";
    get clientSecret() {
      return randomUUID();
    }
    get tsgId() {
      return String(2345678901);
    }
  }
  const request = AuthRequest.parse(new Fields());
  assert.equal(request.scope, "tsg_id:2345678901");
  assert.equal(request.with({ tsgId: "1" }).with(new Fields()).tsgId, "2345678901");
  assert.equal(AuthRequest.fromArgs(new Fields(), {}).tsgId, "2345678901");
});

test("copies a request for another tenant, account, or server, and keeps its other fields", () => {
  const request = parse({ issuer: "https://auth.scm.test", ca });
  assert.deepEqual([request.tsgId, parse({ tsgId: "", scope: "tsg_id:1 tsg_id:2" }).tsgId], ["1234567890", undefined]);
  const other = request.with({ tsgId: " tsg_id:42 " });
  assert.deepEqual(
    [other.tsgId, other.scope, other.clientId, other.clientSecret, other.issuer, other.ca, other.warnings],
    ["42", "tsg_id:42", CLIENT_ID, SECRET, request.issuer, ca, []],
  );
  assert.equal(request.scope, "tsg_id:1234567890");
  assert.equal(parse({ scope: "a tsg_id:1234567890 b" }).with({ tsgId: "42" }).scope, "tsg_id:42 a b");
  assert.equal(request.with({ scope: "tsg_id:7 c" }).tsgId, "7");
  const rotated = request.with({
    clientSecret: "another-secret",
    tokenUrl: new URL("https://auth.scm.test/access_token"),
  });
  assert.deepEqual(
    [rotated.clientSecret, rotated.scope, rotated.jwksUrl.href],
    ["another-secret", request.scope, "https://auth.scm.test/connect/jwk_uri"],
  );
  assert.equal(request.with({ jwksUrl: "https://keys.scm.test/" }).with({ tsgId: "42" }).jwksUrl.host, "keys.scm.test");
});

test("rejects changes that are undefined, blank, unknown, or invalid instead of keeping the old value", () => {
  const request = parse({ scope: "tsg_id:1234567890 a" });
  for (const [changes, fields] of [
    [{ tsgId: undefined, clientSecret: " " }, ["tsgId", "clientSecret"]],
    [{ tsgId: "x" }, ["tsgId"]],
    [{ tsgId: "42", scope: "tsg_id:1" }, ["scope"]],
    [{ tsg_id: "42" }, ["tsg_id"]],
  ] as const) {
    const { issues } = getError(() => request.with(changes as object));
    assert.deepEqual(
      issues.map(({ field }) => field),
      fields,
    );
  }
});

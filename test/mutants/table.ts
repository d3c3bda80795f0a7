/** A small bug, put in on purpose, and the tests that must notice it. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
  /** Pattern of the names of tests to run, where the files hold many that are slow. */
  readonly only?: string;
}

const SCENES = ["test/e2e/scenes.test.ts"];
const SECRETS = ["test/shared/report/secrets.test.ts"];
const RETRY = ["test/shared/http/retry.test.ts"];
const SEND = ["test/shared/http/send.test.ts"];
const VERIFY = ["test/shared/token/verify-token.test.ts", "test/shared/token/jws.test.ts"];
const CLAIMS = ["test/shared/token/claims.test.ts"];
const ANSWERS = ["test/shared/token/answers.test.ts", "test/shared/token/token-endpoint.test.ts"];

export const mutants: readonly Mutant[] = [
  // Masks and logs
  {
    name: "masking off",
    file: "action/runner.ts",
    find: "for (const form of [...forms].sort((a, b) => b.length - a.length)) core.setSecret(form);",
    replace: "void forms;",
    tests: SCENES,
    only: "mask",
  },
  {
    name: "token not masked",
    file: "action/main.ts",
    find: "runner.mask(raw);",
    replace: "void raw;",
    tests: SCENES,
    only: "mask|token",
  },
  {
    name: "version told before the masks",
    file: "action/main.ts",
    find: 'const secret = runner.takeSecret("client-secret", proxyPasswords(process.env));',
    replace: 'runner.say("hello");\n  const secret = runner.takeSecret("client-secret", proxyPasswords(process.env));',
    tests: SCENES,
    only: "mask",
  },
  {
    name: "secret left in the environment",
    file: "action/runner.ts",
    find: "delete process.env[`INPUT_${name.toUpperCase()}`];",
    replace: "void name;",
    tests: SCENES,
    only: "environment|child",
  },
  {
    name: "base64 form missing",
    file: "shared/report/secrets.ts",
    find: '  base64: (text) => [Buffer.from(text).toString("base64"), ...base64Pieces(Buffer.from(text), "base64")],\n',
    replace: "",
    tests: SECRETS,
  },
  {
    name: "redactor off",
    file: "shared/report/secrets.ts",
    find: "const hidden = this.#replaceForms(text).slice(0, LONGEST_TEXT);",
    replace: "const hidden = text.slice(0, LONGEST_TEXT);",
    tests: SECRETS,
  },
  {
    name: "encoded twice is shown",
    file: "shared/report/secrets.ts",
    find: "return this.#canBeReadIn(hidden) ? this.#removeAll(HIDDEN) : hidden;",
    replace: "return hidden;",
    tests: SCENES,
    only: "leaks n",
  },
  {
    name: "workflow commands pass",
    file: "shared/report/printable.ts",
    find: '.replace(/#(?=#|\\[)/g, "# ")',
    replace: "",
    tests: ["test/shared/report/printable.test.ts"],
  },
  {
    name: "stderr open",
    file: "action/process-guard.ts",
    find: 'Object.defineProperty(process, "stderr"',
    replace: 'Object.defineProperty({}, "stderr"',
    tests: SCENES,
    only: "stderr",
  },
  // Never green without a token
  {
    name: "exit guard off",
    file: "action/process-guard.ts",
    find: 'if (!through) fail(new Error("the work stopped before its end"));',
    replace: "void through;",
    tests: ["test/action/process-guard.test.ts", ...SCENES],
    only: "dry|stops|exit|ends",
  },
  {
    name: "goes on after something else went wrong",
    file: "action/process-guard.ts",
    find: "    stop.abort();\n",
    replace: "",
    tests: SCENES,
    only: "nobody catches|nobody handles|no longer reads",
  },
  {
    name: "outputs before the proof",
    file: "shared/token/verify-token.ts",
    find: 'throw new AuthError("the token\'s signature is not by the signing keys.", {',
    replace: 'if (key === null) throw new AuthError("the token\'s signature is not by the signing keys.", {',
    tests: SCENES,
    only: "signature|signed",
  },
  // Verification
  {
    name: "verification off",
    file: "shared/token/prove-token.ts",
    find: "if (!options.verify)",
    replace: "if (options.verify)",
    tests: SCENES,
    only: "signature|algorithm|alg ",
  },
  {
    name: "any algorithm",
    file: "shared/token/verify-token.ts",
    find: "if (alg !== ALGORITHM) {",
    replace: 'if (alg === "none") {',
    tests: VERIFY,
  },
  {
    name: "crit accepted",
    file: "shared/token/jws.ts",
    find: 'if ("crit" in parsed.data)',
    replace: 'if ("crit" in parsed.data && parsed.data.alg === "")',
    tests: VERIFY,
  },
  {
    name: "loose base64url",
    file: "shared/token/jws.ts",
    find: 'return segment !== "" && bytes.toString("base64url") === segment ? bytes : undefined;',
    replace: 'return segment !== "" ? bytes : undefined;',
    tests: VERIFY,
  },
  {
    name: "audience by its beginning",
    file: "shared/token/claims.ts",
    find: "!audience.includes(expected.clientId)",
    replace: "!audience.some((one) => one.startsWith(expected.clientId))",
    tests: CLAIMS,
  },
  {
    name: "tenant by its beginning",
    file: "shared/token/claims.ts",
    find: "!granted.includes(`tsg_id:${tenant}`)",
    replace: "!granted.some((word) => word.startsWith(`tsg_id:${tenant}`))",
    tests: CLAIMS,
  },
  {
    name: "grace after the end",
    file: "shared/token/claims.ts",
    find: "if (end <= now)",
    replace: "if (end + AHEAD <= now)",
    tests: CLAIMS,
  },
  {
    name: "future tokens pass",
    file: "shared/token/claims.ts",
    find: 'return begin > now + AHEAD ? "token_from_the_future" : undefined;',
    replace: "return undefined;",
    tests: CLAIMS,
  },
  {
    name: "first key of a kid only",
    file: "shared/token/verify-token.ts",
    find: "for (const key of keys) {",
    replace: "for (const key of keys.slice(0, 1)) {",
    tests: SCENES,
    only: "kid|key",
  },
  {
    name: "changed key not looked for",
    file: "shared/token/key-cache.ts",
    find: "return keysFor(await this.#load(load), kid);",
    replace: "return found;",
    tests: SCENES,
    only: "kid|key|rotat|changed",
  },
  // Networks
  {
    name: "certificates unverified",
    file: "shared/http/send.ts",
    find: "rejectUnauthorized: true",
    replace: "rejectUnauthorized: false",
    tests: SCENES,
    only: "certificate|untrusted",
  },
  {
    name: "NODE_TLS_REJECT_UNAUTHORIZED obeyed",
    file: "shared/http/send.ts",
    find: ", rejectUnauthorized: true }",
    replace: " }",
    tests: SCENES,
    only: "REJECT_UNAUTHORIZED",
  },
  {
    name: "redirect followed",
    file: "shared/http/send.ts",
    find: "allowRedirects: false",
    replace: "allowRedirects: true",
    tests: SCENES,
    only: "redirect|Location|30[1-8]",
  },
  {
    name: "size cap off",
    file: "shared/http/send.ts",
    find: "if (size > LARGEST_BODY) {",
    replace: "if (size > 1e12) {",
    tests: SEND,
  },
  {
    name: "deadline off",
    file: "shared/http/send.ts",
    find: "const callOff = limits.clock.after(limits.timeLimit, () => {",
    replace: "const callOff = limits.clock.after(limits.timeLimit * 100, () => {",
    tests: SEND,
  },
  {
    name: "Retry-After cut short",
    file: "shared/http/retry.ts",
    find: "return floor + random() * Math.min(width, widest);",
    replace: "return floor * 0.9 + random() * Math.min(width, widest);",
    tests: RETRY,
  },
  {
    name: "tries eat the deadline",
    file: "shared/http/retry.ts",
    find: "Math.min(LONGEST_TRY, timeLeft / triesLeft)",
    replace: "Math.min(LONGEST_TRY, timeLeft)",
    tests: RETRY,
  },
  {
    name: "one try more",
    file: "shared/http/retry.ts",
    find: "const triesLeft = policy.maxRetries + 1 - tries;",
    replace: "const triesLeft = policy.maxRetries + 2 - tries;",
    tests: RETRY,
  },
  {
    name: "refusals repeated",
    file: "shared/http/retry.ts",
    find: 'if (verdict.is === "final" || triesLeft === 0)',
    replace: "if (triesLeft === 0)",
    tests: SCENES,
    only: "invalid_client",
  },
  {
    name: "502 is final",
    file: "shared/http/retry.ts",
    find: '  502: "fault",\n',
    replace: "",
    tests: ANSWERS,
  },
  {
    name: "HTML repeated",
    file: "shared/http/json-answer.ts",
    find: "if (isHtml(answer)) {",
    replace: "if (isHtml(answer) && status === 0) {",
    tests: ANSWERS,
  },
  {
    name: "error in a 200 unseen",
    file: "shared/token/token-endpoint.ts",
    find: "if (refusal.success && !statusDecides)",
    replace: "if (refusal.success && !statusDecides && answer.status !== 200)",
    tests: ANSWERS,
  },
  {
    name: "CA replaces the roots",
    file: "shared/http/tls.ts",
    find: "ca: [...effectiveList(), ca]",
    replace: "ca: [ca]",
    tests: ["test/shared/http/tls.test.ts"],
  },
  {
    name: "bad proxy URL ignored",
    file: "shared/http/send.ts",
    find: "  proxyFor(request.url);\n",
    replace: "",
    tests: SCENES,
    only: "proxy",
  },
  // The client
  {
    name: "a flight for each caller",
    file: "shared/client/token-source.ts",
    find: "this.#flight ??= this.#fly()",
    replace: "this.#flight = this.#fly()",
    tests: ["test/shared/client/token-source.test.ts"],
  },
  {
    name: "the token goes to any origin",
    file: "shared/client/session.ts",
    find: "url?.origin !== apiUrl.origin",
    replace: "url === undefined",
    tests: ["test/shared/client/session.test.ts"],
  },
  {
    name: "a POST that may have been carried out is repeated",
    file: "shared/client/api-answer.ts",
    find: "!(IDEMPOTENT.has(method) || !error.requestSent)",
    replace: "false",
    tests: ["test/shared/client/session.test.ts"],
  },
  // Inputs
  {
    name: "first problem only",
    file: "shared/token/auth-request.ts",
    find: "throw configError(problems);",
    replace: "throw configError(problems.slice(0, 1));",
    tests: SCENES,
    only: "told in one go|all at once|several",
  },
  {
    name: "another tenant's scope accepted",
    file: "shared/token/auth-request.ts",
    find: "tenants[0] !== tsgId)",
    replace: 'tenants[0] === "")',
    tests: ["test/shared/token/auth-request.test.ts"],
  },
  {
    name: "plain http accepted",
    file: "shared/http/secure-url.ts",
    find: "LOOPBACK.test(hostname))",
    replace: 'hostname !== "")',
    tests: SCENES,
    only: "token-url|http",
  },
];

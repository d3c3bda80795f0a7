import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startChaosProxy } from "../support/chaos-proxy.ts";
import { createCertificates } from "../support/certificates.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { formRequest, httpRequest } from "../support/http-request.ts";
import { runProcess } from "../support/processes.ts";
import { parseFileCommands } from "../support/runner-job.ts";
import { createRunnerMasks } from "../support/runner-masks.ts";
import { TAGS_PATH } from "../support/scm-api.ts";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { readClaims } from "../support/tokens.ts";
import { interpretOutput, parseCommand } from "../support/workflow-commands.ts";

/** Tests the parts of the test support on which the validity of other tests depends. */

const SECRET = "8f0c1d7e-ünï/+-42aa";

describe("assertNoSecret", () => {
  const base64 = (text: string, encoding: "base64" | "base64url" = "base64"): string =>
    Buffer.from(text).toString(encoding);
  const FORMS: Readonly<Record<string, string>> = {
    plain: `a ${SECRET} b`,
    "with whitespace": [...SECRET].join("\n"),
    uppercase: SECRET.toUpperCase(),
    "percent encoding": encodeURIComponent(SECRET),
    base64: base64(SECRET),
    "base64 at the second alignment": base64(`x${SECRET}`),
    "base64url at the third alignment": base64(`xy${SECRET}`, "base64url"),
    hex: Buffer.from(SECRET).toString("hex").toUpperCase(),
  };
  for (const [form, text] of Object.entries(FORMS)) {
    test(`finds a secret in this form: ${form}`, () => {
      assert.throws(
        () => {
          assertNoSecret({ text: Buffer.from(text), other: "" }, [SECRET]);
        },
        (error: Error) => error.message.includes("leaked") && !error.message.includes(SECRET),
      );
    });
  }
  test("finds a token's signature, and finds nothing in unrelated text", () => {
    const token = "eyJhbGciOiJ9.eyJhdWQiOiJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    assert.throws(() => {
      assertNoSecret({ log: "c2lnbmF0dXJlLXNpZ25hdHVyZQ" }, [token]);
    });
    assertNoSecret({ log: `${SECRET.slice(0, -1)} eyJhbGciOiJ9` }, [SECRET, token]);
  });
});

describe("the runner", () => {
  test("parses workflow commands in the same way as GitHub's runner", () => {
    const command = (name: string, data: string, properties = {}) => ({ name, properties, data });
    for (const [line, expected] of [
      ["::error title=a%3Ab,file=x::100%25%0Ab", command("error", "100%\nb", { title: "a:b", file: "x" })],
      ["  ::add-mask::a::b", command("add-mask", "a::b")],
      ["text ##[set-output name=a%3Bb;]c%5D", command("set-output", "c]", { name: "a;b" })],
      ["::unknown::x", undefined],
      ["text ::error::x", undefined],
    ] as const)
      assert.deepEqual(parseCommand(line), expected, line);
  });

  test("masks values, their lines, and their encodings in subsequent output", () => {
    const masks = createRunnerMasks();
    const lines = ["before secret-value", "::add-mask::secret-value%0Aline two", "secret-value line two", "::debug::x"];
    assert.deepEqual(interpretOutput(lines, masks, false).lines, ["before secret-value", "*** ***"]);
    assert.equal(masks.apply(`a ${Buffer.from("secret-value").toString("base64")} b`), "a *** b");
    assert.equal(masks.apply("secret-valuesecret-value"), "***");
  });

  test("parses output files and rejects malformed ones", () => {
    const text = "a=1\nb<<EOF\nx=y\nz\nEOF\na=2\n";
    assert.deepEqual(parseFileCommands(text), { a: "2", b: "x=y\nz" });
    for (const malformed of ["a", "a<<EOF\nb", "<<EOF\nEOF"]) assert.throws(() => parseFileCommands(malformed));
  });
});

describe("the SCM server", () => {
  let server: ScmServer;
  before(async () => {
    server = await startScmServer({ ttl: 2 });
  });
  after(() => server.close());

  const requestToken = (fields: Readonly<Record<string, string>> = {}, headers = {}) => {
    const { clientId: client_id, clientSecret: client_secret, ca } = server;
    const form = { grant_type: "client_credentials", scope: `tsg_id:${server.tsgId}`, client_id, client_secret };
    const request = formRequest({ ...form, ...fields });
    return httpRequest(server.tokenUrl, { ...request, ca, headers: { ...request.headers, ...headers } });
  };

  test("issues tokens like those from SCM, and its API accepts them until they expire", async () => {
    const { status, body } = await requestToken();
    const response = JSON.parse(body) as Readonly<Record<string, unknown>>;
    const token = String(response["access_token"]);
    assert.deepEqual([status, response["token_type"], response["expires_in"]], [200, "Bearer", 1]);
    assert.deepEqual(readClaims(token).scope, [`tsg_id:${server.tsgId}`]);
    assert.deepEqual(server.issued, [token]);
    const getTags = async () =>
      (await httpRequest(`${server.apiUrl}${TAGS_PATH}?folder=All`, { ca: server.ca, headers: { authorization: `Bearer ${token}` } })).status; // prettier-ignore
    assert.equal(await getTags(), 200);
    await new Promise((resolve) => setTimeout(resolve, 2100));
    assert.equal(await getTags(), 401);
  });

  test("responds with the errors defined in RFC 6749", async () => {
    const basic = { authorization: `Basic ${Buffer.from(`${server.clientId}:x`).toString("base64")}` };
    for (const [fields, headers, status, error] of [
      [{ client_secret: "x" }, {}, 401, "invalid_client"],
      [{}, basic, 400, "invalid_request"],
      [{ grant_type: "password" }, {}, 400, "unsupported_grant_type"],
      [{ scope: "tsg_id:1" }, {}, 400, "invalid_scope"],
    ] as const) {
      const response = await requestToken(fields, headers);
      assert.equal(response.status, status);
      assert.equal((JSON.parse(response.body) as { error: string }).error, error);
    }
  });

  test("fails token requests and rotates keys on demand", async () => {
    server.failTokenRequests({ status: 503, headers: { "retry-after": "7" } });
    const { status, headers } = await requestToken();
    assert.deepEqual([status, headers["retry-after"]], [503, "7"]);
    server.failTokenRequests(undefined);
    const kid = await server.rotateKeys();
    const { body } = await httpRequest(server.jwksUrl, { ca: server.ca });
    assert.deepEqual([(JSON.parse(body) as { keys: { kid: string }[] }).keys[0]?.kid, (await requestToken()).status], [kid, 200]); // prettier-ignore
  });
});

test("certificates are signed by their CA, are valid for all names, and expire at the specified time", () => {
  const { ca, cert } = createCertificates(["a.test", "127.0.0.1", "::1"], -60_000);
  const certificate = new X509Certificate(cert);
  assert.ok(certificate.verify(new X509Certificate(ca).publicKey));
  assert.ok(new X509Certificate(ca).ca);
  assert.equal(certificate.checkHost("a.test"), "a.test");
  assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
  assert.ok(Date.parse(certificate.validTo) < Date.now());
});

test("the chaos proxy truncates a response", async (t) => {
  const server = await startScriptedServer({ token: { body: "x".repeat(500) }, jwks: {} });
  const proxy = await startChaosProxy(server.port, { endAfter: 200 });
  t.after(() => Promise.all([server.close(), proxy.close()]));
  await assert.rejects(httpRequest(server.tokenUrl.replace(String(server.port), String(proxy.port))));
  assert.equal(proxy.connections[0]?.bytesReceived, 200);
});

test("the fake clock counts time while suspended as elapsed time but not as monotonic time", async () => {
  const clock = createFakeClock();
  const [now, monotonic, elapsed] = [clock.now(), clock.monotonic(), clock.elapsed()];
  const fired: number[] = [];
  clock.setTimeout(() => fired.push(clock.passed()), 500);
  clock.suspend(1000);
  await clock.advance(600);
  assert.deepEqual(
    [clock.now() - now, clock.monotonic() - monotonic, clock.elapsed() - elapsed, fired],
    [1600, 600, 1600, [500]],
  );
});

test("a process and its children are killed after the timeout", { skip: process.platform === "win32" }, async () => {
  const { exitCode, signal, stdout } = await runProcess("sh", ["-c", "echo started; sleep 600; true"], {
    timeoutMs: 500,
  });
  assert.deepEqual([exitCode, signal, stdout], [null, "SIGKILL", "started\n"]);
});

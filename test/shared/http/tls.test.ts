import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { createSecureContext, defaultCACertificates, isHttpsOrLoopback } from "../../../shared/http/tls.ts";
import { createCertificates } from "../../support/certificates.ts";
import { runProcess } from "../../support/processes.ts";
import { startScriptedServer } from "../../support/scripted-server.ts";

const dir = await mkdtemp(join(tmpdir(), "scm-auth-tls-"));
after(() => rm(dir, { recursive: true, force: true }));

/** Creates an authority and starts a server with a certificate issued by it. Returns the server URL and the CA file. */
async function startAuthority(name: string): Promise<{ readonly url: string; readonly file: string }> {
  const certificates = createCertificates();
  const file = join(dir, `${name}.pem`);
  await writeFile(file, certificates.ca);
  const { tokenUrl: url, close } = await startScriptedServer({ token: {}, jwks: {}, tls: certificates });
  after(close);
  return { url, file };
}
const user = await startAuthority("user");
const extra = await startAuthority("extra");
const unknown = await startAuthority("unknown");

/** Returns the outcomes for the three servers in a process with the given `ca` and environment. */
async function getOutcomes(ca: string, env: NodeJS.ProcessEnv, flags: readonly string[] = []) {
  const script = fileURLToPath(new URL("request-process.ts", import.meta.url));
  const args = [...flags, script, ca, "20000", user.url, extra.url, unknown.url];
  const { PATH, SystemRoot } = process.env;
  const { stdout, stderr } = await runProcess(process.execPath, args, { env: { PATH, SystemRoot, ...env } });
  assert.ok(stdout, stderr);
  return stdout.split("\n", 1)[0]?.split(" ");
}

const NO = "untrusted_certificate";
const TRUST: readonly (readonly [what: string, ca: string, NodeJS.ProcessEnv, outcomes: readonly string[]])[] = [
  ["only Node's defaults", "-", {}, [NO, NO, NO]],
  ["a given CA", user.file, {}, ["200", NO, NO]],
  ["the CA in NODE_EXTRA_CA_CERTS", "-", { NODE_EXTRA_CA_CERTS: extra.file }, [NO, "200", NO]],
  ["a given CA and the CA in NODE_EXTRA_CA_CERTS", user.file, { NODE_EXTRA_CA_CERTS: extra.file }, ["200", "200", NO]],
  [
    "a given CA if the file in NODE_EXTRA_CA_CERTS does not exist",
    user.file,
    { NODE_EXTRA_CA_CERTS: "no.pem" },
    ["200", NO, NO],
  ],
];
for (const [what, ca, env, outcomes] of TRUST) {
  test(`trusts ${what}`, async () => {
    assert.deepEqual(await getOutcomes(ca, env), outcomes);
  });
}

test("trusts a given CA and the system's CAs", async (t) => {
  if (process.platform !== "linux") {
    t.skip("the system's CAs can be set by a variable only on Linux");
    return;
  }
  const outcomes = await getOutcomes(user.file, { SSL_CERT_FILE: extra.file, NODE_USE_SYSTEM_CA: "1" });
  assert.deepEqual(outcomes, ["200", "200", NO]);
});

const { ca } = createCertificates();

test("adds the CA to Node's CA certificates in a context without changing the process", (t) => {
  const create = t.mock.method(tls, "createSecureContext");
  const before = tls.getCACertificates("default");
  createSecureContext(ca);
  assert.deepEqual(create.mock.calls[0]?.arguments[0]?.ca, [...before, ca]);
  assert.ok(before.length > 100);
  assert.deepEqual(tls.getCACertificates("default"), before);
});

test("reuses one context for the same CA text, and returns undefined without a CA", () => {
  assert.equal(createSecureContext(undefined), undefined);
  assert.equal(createSecureContext(ca), createSecureContext(ca));
  assert.notEqual(createSecureContext(ca), createSecureContext(createCertificates().ca));
  assert.notEqual(createSecureContext(ca), createSecureContext(ca, []));
});

test("uses the bundled CA certificates and NODE_EXTRA_CA_CERTS with Node.js versions before 22.15", (t) => {
  const descriptor = Object.getOwnPropertyDescriptor(tls, "getCACertificates");
  assert.ok(descriptor);
  const variable = process.env["NODE_EXTRA_CA_CERTS"];
  t.after(() => {
    Object.defineProperty(tls, "getCACertificates", descriptor);
    if (variable === undefined) delete process.env["NODE_EXTRA_CA_CERTS"];
    else process.env["NODE_EXTRA_CA_CERTS"] = variable;
  });
  Reflect.deleteProperty(tls, "getCACertificates");
  process.env["NODE_EXTRA_CA_CERTS"] = user.file;
  assert.equal(defaultCACertificates().length, tls.rootCertificates.length + 1);
  process.env["NODE_EXTRA_CA_CERTS"] = join(dir, "no.pem");
  assert.equal(defaultCACertificates(), tls.rootCertificates);
});

test("allows a secret to be sent only over https or to loopback", () => {
  const yes = ["https://a.test", "http://localhost:1/", "http://127.0.0.1/", "http://127.9.9.9/", "http://[::1]:80/"];
  const no = [
    ...["http://a.test", "http://localhost.a.test", "http://127.0.0.1.a.test", "http://10.0.0.1/", "http://[::2]/"],
    ...["ftp://localhost/", "file:///localhost", "http://a.test/localhost"],
  ];
  for (const url of yes) assert.ok(isHttpsOrLoopback(new URL(url)), url);
  for (const url of no) assert.ok(!isHttpsOrLoopback(new URL(url)), url);
});

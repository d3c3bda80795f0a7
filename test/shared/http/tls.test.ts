import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, suite, test } from "node:test";
import tls from "node:tls";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { trust } from "../../../shared/http/tls.ts";
import { makeCertificates } from "../../support/certificate.ts";
import { startScriptedServer } from "../../support/scripted-server.ts";
import { run } from "../../support/searched-process.ts";

const folder = await mkdtemp(join(tmpdir(), "scm-auth-trust-"));
after(() => rm(folder, { recursive: true, force: true }));

/** An authority that no other knows, and a server that it vouches for. */
async function makeAuthority(name: string): Promise<{ readonly url: string; readonly file: string }> {
  const certificates = await makeCertificates();
  const file = join(folder, `${name}.pem`);
  await writeFile(file, certificates.ca);
  const { tokenUrl: url, close } = await startScriptedServer({ token: {}, keys: {}, tls: certificates });
  after(close);
  return { url, file };
}
const users = await makeAuthority("users");
/** One that the environment names. */
const extra = await makeAuthority("extra");
const stranger = await makeAuthority("stranger");

const probe = join(folder, "probe.cjs");
await build({
  entryPoints: [fileURLToPath(new URL("trust-probe.ts", import.meta.url))],
  outfile: probe,
  ...{ bundle: true, platform: "node", target: "node20", format: "cjs", logLevel: "error" },
});

/** The node of a major version that stands on PATH, if there is one. */
async function findNode(major: number): Promise<string | undefined> {
  const name = process.platform === "win32" ? "node.exe" : "node";
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((path) => join(path, name));
  for (const path of paths.filter(existsSync)) {
    const { stdout } = await run(path, ["--version"]).catch(() => ({ stdout: "" }));
    if (stdout.startsWith(`v${major}.`)) return path;
  }
  return undefined;
}

/** Whom a process trusts of the user's authority, the environment's and the stranger's. */
async function trusted(node: string, ca: string, env: NodeJS.ProcessEnv, flags: readonly string[] = []) {
  const { stdout } = await run(node, [...flags, probe, ca, users.url, extra.url, stranger.url], {
    env: { PATH: process.env["PATH"], SystemRoot: process.env["SystemRoot"], ...env },
  });
  return stdout.trim().split(" ");
}

const NO = "untrusted_certificate";
const scenes: readonly (readonly [what: string, ca: string, env: NodeJS.ProcessEnv, seen: readonly string[]])[] = [
  ["no CA", "-", {}, [NO, NO, NO]],
  ["the user's CA", users.file, {}, ["200", NO, NO]],
  ["NODE_EXTRA_CA_CERTS", "-", { NODE_EXTRA_CA_CERTS: extra.file }, [NO, "200", NO]],
  ["the user's CA beside NODE_EXTRA_CA_CERTS", users.file, { NODE_EXTRA_CA_CERTS: extra.file }, ["200", "200", NO]],
  ["the user's CA and a missing NODE_EXTRA_CA_CERTS", users.file, { NODE_EXTRA_CA_CERTS: "no.pem" }, ["200", NO, NO]],
];
const node20 = await findNode(20);
for (const [name, node] of [["this node", process.execPath] as const, ["node 20", node20] as const]) {
  const skip = node === undefined && "there is none on PATH";
  suite(`${name} trusts whom it should`, { concurrency: 2, skip }, () => {
    for (const [what, ca, env, seen] of scenes) {
      test(`with ${what}`, async () => {
        assert.deepEqual(await trusted(node ?? "", ca, env), seen);
      });
    }
  });
}

test("the user's CA stands beside those of the system", async (t) => {
  const flag = "--use-system-ca";
  if (process.platform !== "linux" || !process.allowedNodeEnvironmentFlags.has(flag)) {
    t.skip("the system's authorities can be set by a variable on Linux alone");
    return;
  }
  assert.deepEqual(await trusted(process.execPath, users.file, { SSL_CERT_FILE: extra.file }, [flag]), [
    "200",
    "200",
    NO,
  ]);
});

test("node's own roots stay, and nothing is set for the whole process", async (t) => {
  const create = t.mock.method(tls, "createSecureContext");
  const before = tls.getCACertificates("default");
  const ca = await readFile(users.file, "utf8");
  trust(ca);
  const given = create.mock.calls[0]?.arguments[0]?.ca as readonly string[];
  assert.deepEqual(given, [...before, ca]);
  assert.ok(before.length > 100);
  assert.deepEqual(tls.getCACertificates("default"), before);
});

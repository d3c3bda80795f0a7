import assert from "node:assert/strict";
import { X509Certificate, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, createServer, rootCertificates, type SecureContext } from "node:tls";

import { trust } from "../../shared/http/tls.ts";
import { AuthError } from "../../shared/report/errors.ts";
import type { Problem } from "../../shared/report/fields.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { readCaText } from "../../shared/token/ca-text.ts";
import { makeCertificates } from "../support/certificate.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyText } from "../support/nearly.ts";

/** Certificates in PEM that are nearly right (RFC 7468), given as text or as a file, and whom one trusts by them. */

const { ca, cert, key } = await makeCertificates();
const [another = ""] = rootCertificates;

const server = createServer({ cert, key }, (socket) => socket.on("error", () => undefined).end());
server.on("tlsClientError", () => undefined);
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = server.address() as AddressInfo;
after(() => server.close());

/** Whether the server, whose authority is `ca`, is trusted. */
async function isTrusted(secureContext: SecureContext): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1", secureContext, rejectUnauthorized: true });
  const outcome = await Promise.race([
    once(socket, "secureConnect").then(() => true),
    once(socket, "close").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return outcome;
}

/** As people paste and tools write it. */
const blocks = fc.constantFrom(ca, ca, ca, another, another, cert, key, ca.slice(0, 99));
const texts = fc
  .tuple(
    fc.array(blocks, { minLength: 1, maxLength: 3 }),
    fc.constantFrom("", "# ours\n", "Subject: CN=ours\n", "ours: ", "\ufeff", "    "),
    fc.constantFrom("\n", "\n", "", " ", "\n  "),
    fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => text,
      (text) => text,
      (text) => text.replaceAll("\n", "\r\n"),
      (text) => text.replaceAll("\n", "\r"),
      (text) => text.replaceAll("\n", "\n  "),
      (text) => text.replaceAll("\n", " \n"),
      (text) => text.replaceAll("\n", " "),
      (text) => text.replaceAll("\n", ""),
      (text) => text.replaceAll("\n", "\\n"),
      (text) => text.replaceAll("\n", "\n\n"),
      (text) => text.replace(/([A-Za-z0-9+/=]{64})\n/g, "$1"),
      (text) => text.replaceAll("CERTIFICATE", "TRUSTED CERTIFICATE"),
      (text) => text.replaceAll("CERTIFICATE", "X509 CERTIFICATE"),
      (text) => text.toLowerCase(),
    ),
  )
  .map(([all, before, between, write]) => write(before + all.map((block) => block.trim()).join(between)));
const anyText = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom("", " \n") },
  { weight: 8, arbitrary: texts },
  { weight: 4, arbitrary: nearlyText(texts, 2) },
);

/** The texts between BEGIN and END, without white space. */
const bodiesOf = (text: string): readonly string[] =>
  [...text.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g)].map(([, body = ""]) =>
    body.replace(/\s/g, ""),
  );
const [bodyOfCa = ""] = bodiesOf(ca);
const keysIn = (text: string): readonly KeyObject[] =>
  bodiesOf(text).map((body) => new X509Certificate(Buffer.from(body, "base64")).publicKey);
const keyOfCa = new X509Certificate(ca).publicKey;

/** Texts as tools write them, which must not be refused. */
const PLAIN = /^(-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=]{1,64}\r?\n)+-----END CERTIFICATE-----\s*)+$/;
const KNOWN: ReadonlySet<string> = new Set([ca, another, cert].flatMap(bodiesOf));
const isPlain = (text: string): boolean => PLAIN.test(text.trim()) && bodiesOf(text).every((body) => KNOWN.has(body));

const clientId = "ci@1.iam.panserviceaccount.com";
const clientSecret = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";

test("whoever's certificate is taken is trusted, and what is not taken is refused by its name without being shown", async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(anyText, async (text) => {
      try {
        const request = AuthRequest.parse({ clientId, clientSecret, ca: text });
        const context = trust(request.ca);
        assert.equal(context === undefined, text.trim() === "");
        if (context === undefined) return;
        for (const mark of ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"])
          assert.equal(text.split(mark).length - 1, bodiesOf(text).length, JSON.stringify(text));
        const trusted = await isTrusted(context);
        if (bodiesOf(text).includes(bodyOfCa)) assert.ok(trusted, JSON.stringify(text));
        // A certificate that was changed may still be of that name and that key.
        else if (trusted)
          assert.ok(
            keysIn(text).some((found) => found.equals(keyOfCa)),
            JSON.stringify(text),
          );
        seen[trusted ? "trusted" : "not trusted"] = 1;
      } catch (error) {
        if (!AuthError.isAuthError(error)) throw error;
        assert.ok(!isPlain(text), JSON.stringify(text));
        assert.deepEqual([error.code, error.problems.map(({ field }) => field)], ["invalid_config", ["ca"]]);
        const lines = text.split(/\s+/).filter((line) => line.length > 40);
        assert.ok(!lines.some((line) => `${error.message}${error.hint}${error.stack ?? ""}`.includes(line)));
        seen["refused"] = 1;
      }
    }),
    { numRuns: 100 },
  );
  assert.deepEqual(Object.keys(seen).sort(), ["not trusted", "refused", "trusted"]);
});

const folder = await mkdtemp(join(tmpdir(), "scm-auth-fuzz-"));
after(() => rm(folder, { recursive: true }));
const path = join(folder, "ca.pem");

test("the text of a file is read to the letter, a path that leads to none is one problem, and PEM text stands for itself", async () => {
  await fc.assert(
    fc.asyncProperty(anyText, nearlyText(path, 2), async (text, other) => {
      await writeFile(path, text);
      const read = (value: string): readonly [string | undefined, readonly Problem[]] => {
        const problems: Problem[] = [];
        return [readCaText(value, problems, "here."), problems];
      };
      const written = Buffer.from(text).toString();
      const [found, problems] = read(`  ${path}\n`);
      assert.deepEqual([found, problems.length], text.trim() === "" ? [undefined, 1] : [written, 0]);
      assert.deepEqual(read(text)[0], text.includes("-----BEGIN") || text.trim() === "" ? text.trim() : read(text)[0]);
      for (const value of [text, other]) {
        const [meant, told] = read(value);
        assert.equal(told.length, meant === undefined ? 1 : 0);
        assert.ok(told.every(({ field }) => field === "ca"));
        const shown = told.map(({ reason, hint }) => `${reason} ${hint}`).join();
        assert.ok(value.trim().length < 20 || !shown.includes(value.trim()));
      }
    }),
  );
});

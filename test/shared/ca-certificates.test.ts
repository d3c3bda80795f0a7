import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createSecureContext, rootCertificates } from "node:tls";

import { parseCertificates, readCaCertificates } from "../../shared/ca-certificates.ts";
import { createCertificates } from "../support/certificates.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import { nearValidText } from "../support/near-valid.ts";
import { createTempDir } from "../support/temp-dir.ts";

const [first = "", second = ""] = rootCertificates.map((pem) => new X509Certificate(pem).toString().trim());
const both = `${first}\n${second}`;
const flat = both.replaceAll("\n", "");
const { key } = createCertificates();

/** Texts that contain both certificates. OpenSSL reads line by line and would skip a certificate in some of them. */
const READABLE: Readonly<Record<string, string>> = {
  "on separate lines": both,
  "with CRLF": both.replaceAll("\n", "\r\n"),
  "without a line break between them": `${first}${second}`,
  "indented": `  ${first}\n  ${second}`,
  "after other text on the line": `first: ${first}\nsecond: ${second}`,
  "before other text on the line": `${first} # first\n${second} # second`,
  "next to a private key": `${key}${first}${second}`,
  "with spaces instead of line breaks": both.replaceAll("\n", " "),
  "without any line breaks": flat,
  "with line breaks written as \\n": both.replaceAll("\n", "\\n"),
  "with line breaks written as \\r\\n": both.replaceAll("\n", "\\r\\n"),
  "with line breaks written as \\\\n": both.replaceAll("\n", "\\\\n"),
  "in base64-encoded PEM": Buffer.from(both).toString("base64"),
  "in wrapped base64-encoded PEM": Buffer.from(both).toString("base64").replace(/.{76}/g, "$&\n"),
  "after a byte order mark": `\ufeff${both}`,
}; // prettier-ignore
for (const [name, text] of Object.entries(READABLE)) {
  test(`reads certificates ${name}`, () => {
    assert.deepEqual(parseCertificates(text), { pem: both });
  });
}

const END = "-----END CERTIFICATE-----";
const damaged = first.replace("MII", "AAA");
const UNREADABLE: readonly (readonly [name: string, text: string, message: string])[] = [
  ["no certificate", "some text", "contains no certificate"],
  ["only a private key", key, "contains no certificate, but PRIVATE KEY data"],
  ["PKCS #7 data", `-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----`, "contains no certificate, but PKCS7 data"],
  ["a certificate without an END line", first.slice(0, 99), `is truncated: certificate 1 of 1 has no ${END}`],
  ["a truncated certificate before another", `${first.slice(0, 99)}\n${second}`, `is truncated: certificate 1 of 2 has no ${END}`],
  ["a certificate without a BEGIN line", `${first}\n${second.slice(99)}`, `contains ${END} without -----BEGIN CERTIFICATE-----`],
  ["a truncated certificate", `${first}\n${second.slice(0, 99)}\n${END}`, "contains an invalid certificate: certificate 2 of 2 cannot be read"],
  ["one damaged certificate of five", [first, second, first, damaged, second].join("\n"), "contains an invalid certificate: certificate 4 of 5 cannot be read"],
  ["an empty certificate", `-----BEGIN CERTIFICATE-----\n${END}`, "contains an invalid certificate: certificate 1 of 1 cannot be read"],
]; // prettier-ignore
for (const [name, text, message] of UNREADABLE) {
  test(`CA certificates: rejects ${name}`, () => {
    assert.equal(parseCertificates(text).reason?.message, message);
  });
}

test("reads all certificates in near-valid text so that OpenSSL can use them, or rejects it without quoting it", () => {
  const texts = fc
    .tuple(fc.array(fc.constantFrom(first, second), { minLength: 1, maxLength: 3 }), fc.constantFrom("\n", "", " "))
    .map(([certificates, separator]) => certificates.join(separator));
  const seen = { read: 0, rejected: 0 };
  fc.assert(
    fc.property(nearValidText(texts, 2), (text) => {
      const { pem, reason } = parseCertificates(text);
      if (pem === undefined) {
        seen.rejected++;
        const lines = text.split(/\s+/).filter((line) => line.length > 30 && !line.includes("-----"));
        assert.ok(!lines.some((line) => `${reason.message} ${reason.hint}`.includes(line)));
        return;
      }
      seen.read++;
      createSecureContext({ ca: pem });
      const blocks = pem.split(/(?<=-----END CERTIFICATE-----)\n/);
      assert.equal(blocks.length, text.split("-----BEGIN CERTIFICATE-----").length - 1);
      for (const block of blocks) new X509Certificate(block);
    }),
    { numRuns: countRuns(200) },
  );
  assert.ok(seen.read > 20 && seen.rejected > 20, JSON.stringify(seen));
});

test("reads certificates from a value or from the file it names", async (t) => {
  const directory = await createTempDir(t);
  const file = join(directory, "ca with space.pem");
  const empty = join(directory, "empty.pem");
  await writeFile(file, `# our CA\n${first}\n`);
  await writeFile(empty, " \n");
  const der = join(directory, "ca.der");
  const utf16 = join(directory, "ca-utf16.pem");
  const { raw } = new X509Certificate(first);
  await writeFile(der, raw);
  await writeFile(utf16, Buffer.from(`\ufeff${first}\r\n`, "utf16le"));
  const inBase64 = [Buffer.from(first).toString("base64"), raw.toString("base64")];
  for (const value of [first, `# our CA\n${first}`, ...inBase64, file, ` ${file}\n`, der, utf16])
    assert.deepEqual(readCaCertificates(value, "the workspace"), { pem: first });
  const hint =
    "Use certificates in PEM format (-----BEGIN CERTIFICATE----- ...) or a path relative to the workspace, without quotes.";
  const message = "is neither PEM data nor a readable file";
  const device = process.platform === "win32" ? directory : "/dev/null";
  const base64 = "MIIBszCCAVmgAwIBAgI";
  for (const value of [join(directory, "other.pem"), directory, device, "a\u0000b", `"${file}"`, base64])
    assert.deepEqual(readCaCertificates(value, "the workspace"), { issue: { field: "ca", message, hint } }, value);
  const large = join(directory, "large.pem");
  await writeFile(large, first);
  await truncate(large, 16_000_001);
  assert.match(readCaCertificates(large, "here").issue?.message ?? "", /more than 16000000 bytes/);
  assert.equal(readCaCertificates(empty, "here").issue?.message, "is the path of an empty file");
  assert.equal(readCaCertificates(key, "here").issue?.message, "contains no certificate, but PRIVATE KEY data");
});

test("rejects a long sequence of backslashes quickly", () => {
  const start = performance.now();
  assert.ok(parseCertificates(`-----BEGIN CERTIFICATE-----${"\\".repeat(200_000)}`).reason);
  assert.ok(performance.now() - start < 5000);
});

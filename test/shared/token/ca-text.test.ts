import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import type { Problem } from "../../../shared/report/fields.ts";
import { readCaText } from "../../../shared/token/ca-text.ts";

const folder = await mkdtemp(join(tmpdir(), "scm-auth-ca-"));
after(() => rm(folder, { recursive: true }));
const file = join(folder, "ca with space.pem");
await writeFile(file, "what the file holds");
const empty = join(folder, "empty.pem");
await writeFile(empty, " \n");

const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";

const scenes: readonly (readonly [what: string, input: string, text: string | undefined])[] = [
  ["nothing", "", ""],
  ["white space", " \n", ""],
  ["PEM text", PEM, PEM],
  ["PEM text behind a remark", `# ours\n${PEM}\n`, `# ours\n${PEM}`],
  ["a path", file, "what the file holds"],
  ["a path and a line end", ` ${file}\n`, "what the file holds"],
  ["a path of an empty file", empty, undefined],
  ["a path of nothing", join(folder, "other.pem"), undefined],
  ["a folder", folder, undefined],
  ["a path that no file can have", "a\u0000b", undefined],
  ["text that is neither", "MIIBszCCAVmgAwIBAgI", undefined],
];
for (const [what, input, text] of scenes) {
  test(`a CA given as ${what} means ${text === undefined ? "a problem" : JSON.stringify(text)}`, () => {
    const problems: Problem[] = [];
    assert.equal(readCaText(input, problems, "here."), text);
    assert.deepEqual(
      problems.map(({ field }) => field),
      text === undefined ? ["ca"] : [],
    );
  });
}

test("what is wrong with a CA is told, and what to do", () => {
  const problems: Problem[] = [];
  readCaText(empty, problems, "here; look.");
  readCaText(folder, problems, "here; look.");
  assert.deepEqual(problems, [
    { field: "ca", reason: "names an empty file", hint: "Put the certificates into it, in PEM form." },
    {
      field: "ca",
      reason: "is neither PEM text nor the path of a file that can be read",
      hint: "Give the certificates themselves (-----BEGIN CERTIFICATE----- ...) or a path, seen from here; look.",
    },
  ]);
});

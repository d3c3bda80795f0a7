import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { readCaCert } from "../../action/ca-cert.ts";
import type { Problem } from "../../shared/report/fields.ts";

const folder = await mkdtemp(join(tmpdir(), "scm-auth-ca-"));
after(() => rm(folder, { recursive: true }));
const file = join(folder, "ca with space.pem");
await writeFile(file, "what the file holds");

const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";

const scenes: readonly (readonly [what: string, input: string, text: string | undefined])[] = [
  ["nothing", "", ""],
  ["white space", " \n", ""],
  ["PEM text", PEM, PEM],
  ["PEM text behind a remark", `# ours\n${PEM}\n`, `# ours\n${PEM}`],
  ["a path", file, "what the file holds"],
  ["a path and a line end", ` ${file}\n`, "what the file holds"],
  ["a path of nothing", join(folder, "other.pem"), undefined],
  ["a folder", folder, undefined],
  ["a path that no file can have", "a\u0000b", undefined],
  ["text that is neither", "MIIBszCCAVmgAwIBAgI", undefined],
];
for (const [what, input, text] of scenes) {
  test(`ca-cert given as ${what} means ${text === undefined ? "a problem" : JSON.stringify(text)}`, () => {
    const problems: Problem[] = [];
    assert.equal(readCaCert(input, problems), text);
    assert.deepEqual(
      problems.map(({ field }) => field),
      text === undefined ? ["ca"] : [],
    );
  });
}

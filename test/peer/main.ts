import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../shared/version.ts";
import { writeTable } from "./page.ts";
import { play, pythonSdk, scmAuth } from "./play.ts";
import { installPythonSdk } from "./python-sdk.ts";
import { scenes } from "./scenes.ts";
import { tls } from "./stage.ts";

/**
 * `npm run peer`: the same scenes against the same servers over TLS, played by the Python SDK and by scm-auth, and
 * what each was seen to do, written into docs/from-python.md. Not part of `npm test`: it installs from PyPI and
 * waits for time-outs of two minutes. `npm run peer -- WORDS` plays the scenes with these words and writes nothing.
 */

const AT_ONCE = 2;

const words = process.argv.slice(2).join(" ");
const { python, versions } = await installPythonSdk();
const folder = await mkdtemp(join(tmpdir(), "scm-auth-peer-run-"));
const caFile = join(folder, "ca.pem");
await writeFile(caFile, tls.ca);

const rows = scenes
  .filter(({ name }) => name.includes(words))
  .map((scene) => ({ scene, row: { scene: scene.name, pythonSdk: "", scmAuth: "" } }));
// Those that wait longest begin first.
const waiting = rows
  .flatMap((one) => [
    { ...one, column: "pythonSdk" as const, side: pythonSdk(python) },
    { ...one, column: "scmAuth" as const, side: scmAuth },
  ])
  .sort((a, b) => (b.scene.patience ?? 0) - (a.scene.patience ?? 0));

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { scene, row, column, side } = next;
    row[column] = await play(scene, side, caFile);
    console.log(`${scene.name}\n  ${column}: ${row[column]}`);
  }
}

try {
  await Promise.all(Array.from({ length: AT_ONCE }, work));
} finally {
  await rm(folder, { recursive: true });
}

if (words === "") {
  const today = new Date().toISOString().slice(0, 10);
  await writeTable(
    `Seen on ${today} with pan-scm-sdk ${versions.sdk} on Python ${versions.python} and scm-auth ${version} on node ${process.version}.`,
    rows.map(({ row }) => row),
  );
}

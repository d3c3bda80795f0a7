import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { billOf, partsIn, type Bom } from "./bill-of-materials.ts";

/**
 * Writes to stdout what is in one or more bundles, as a software bill of materials (CycloneDX):
 * `node scripts/sbom.ts dist/action`. Without any folder: dist/action.
 */

const folders = process.argv.length > 2 ? process.argv.slice(2) : ["dist/action"];
const licences = await Promise.all(folders.map((folder) => readFile(join(folder, "LICENSES.txt"), "utf8")));
const { stdout } = await promisify(execFile)(
  "npm",
  ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "library", "--package-lock-only"],
  { maxBuffer: 64 * 1024 * 1024, shell: process.platform === "win32" },
);
const bill = billOf(JSON.parse(stdout) as Bom, [...new Set(licences.flatMap(partsIn))]);
process.stdout.write(`${JSON.stringify(bill, undefined, 2)}\n`);

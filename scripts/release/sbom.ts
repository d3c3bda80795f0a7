import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * `node scripts/release/sbom.ts dist/action` prints a software bill of materials (CycloneDX) for one or more bundles.
 * It lists the packages named in the LICENSES.txt of each bundle, with their data from the lockfile.
 */

/** The parts of a CycloneDX document that are used here. A `bom-ref` has the form `name@version`. */
interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly properties?: unknown;
}

const PACKAGE_LINE = /^(\S+) (\d+\.\d+\.\d+\S*) \([^)]+\)$/gm;

async function readBundledPackages(dir: string): Promise<readonly string[]> {
  const licenses = await readFile(join(dir, "LICENSES.txt"), "utf8");
  return [...licenses.matchAll(PACKAGE_LINE)].map(([, name, version]) => `${name}@${version}`);
}

function filterSbom(all: Bom, bundled: ReadonlySet<string>): Bom {
  const known = new Set(all.components.map((component) => component["bom-ref"]));
  const missing = [...bundled].filter((ref) => !known.has(ref));
  if (missing.length > 0) throw new Error(`In a bundle but not in package-lock.json: ${missing.join(", ")}.`);
  const root = all.metadata.component["bom-ref"];
  return {
    ...all,
    // npm names the root component after the directory.
    metadata: { ...all.metadata, component: { ...all.metadata.component, name: root.replace(/@[^@]*$/, "") } },
    components: all.components
      .filter((component) => bundled.has(component["bom-ref"]))
      // npm's properties mark these packages as development dependencies, but the bundles contain their code.
      .map(({ properties, ...component }) => component),
    dependencies: all.dependencies
      .filter(({ ref }) => ref === root || bundled.has(ref))
      .map(({ ref, dependsOn }) => ({
        ref,
        dependsOn: ref === root ? [...bundled] : dependsOn.filter((dependency) => bundled.has(dependency)),
      })),
  };
}

const dirs = process.argv.slice(2);
const bundled = new Set((await Promise.all(dirs.map(readBundledPackages))).flat());
const { stdout } = await promisify(execFile)(
  "npm",
  ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "library", "--package-lock-only"],
  { maxBuffer: 64 * 1024 * 1024, shell: process.platform === "win32" },
);
process.stdout.write(`${JSON.stringify(filterSbom(JSON.parse(stdout) as Bom, bundled), undefined, 2)}\n`);

import { readdir, readFile } from "node:fs/promises";
import type { Metafile } from "esbuild";

/** Matches the directory of the package that contains a bundled file, for example `node_modules/@scope/name`. */
const PACKAGE_DIR = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/** Collects the license texts of all packages whose code is in a bundle, as those licenses require. */
export async function collectLicenses(outputs: Metafile["outputs"]): Promise<string> {
  const files = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs));
  const packages = new Set(
    files.flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? (PACKAGE_DIR.exec(path)?.[1] ?? []) : [])),
  );
  const texts = await Promise.all([...packages].sort().map(readLicense));
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

async function readLicense(dir: string): Promise<string> {
  const manifest = JSON.parse(await readFile(`${dir}/package.json`, "utf8")) as Record<string, string>;
  const file = (await readdir(dir)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${dir} has no license file`);
  const text = (await readFile(`${dir}/${file}`, "utf8")).replaceAll("\r\n", "\n").trim();
  return `${manifest["name"]} ${manifest["version"]} (${manifest["license"]})\n\n${text}\n`;
}

/** A component of a CycloneDX document, as far as it matters here; `bom-ref` is `name@version`. */
interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
}

/** A software bill of materials in CycloneDX 1.5, as npm writes it. */
export interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** The packages that a LICENSES.txt of a bundle tells of (scripts/licences.ts), each as `name@version`. */
export const partsIn = (licences: string): readonly string[] =>
  [...licences.matchAll(/^(\S+) (\d+\.\d+\.\d+\S*) \([^)]+\)$/gm)].map(([, name, version]) => `${name}@${version}`);

/**
 * The bill of what is in the bundles, out of that of all that is installed to make them: who installs or runs scm-auth
 * gets no other package.
 *
 * @param all - the bill of the lockfile
 * @param parts - the packages in the bundles, each as `name@version`
 * @throws Error when the lockfile has no such package
 */
export function billOf<T extends Bom>(all: T, parts: readonly string[]): T {
  const known = new Set(all.components.map((component) => component["bom-ref"]));
  const missing = parts.filter((part) => !known.has(part));
  if (missing.length > 0) throw new Error(`In the bundle and not in package-lock.json: ${missing.join(", ")}.`);
  const kept: ReadonlySet<string> = new Set(parts);
  const root = all.metadata.component["bom-ref"];
  return {
    ...all,
    // npm calls it as the folder is called.
    metadata: { ...all.metadata, component: { ...all.metadata.component, name: root.replace(/@[^@]*$/, "") } },
    components: all.components.filter((component) => kept.has(component["bom-ref"])).map(shipped),
    dependencies: all.dependencies
      .filter(({ ref }) => ref === root || kept.has(ref))
      .map(({ ref, dependsOn }) => ({
        ref,
        dependsOn: ref === root ? [...kept] : dependsOn.filter((part) => kept.has(part)),
      })),
  };
}

/** Without npm's mark of what only developers need: here it means what is bundled. */
const shipped = (component: Component): Component =>
  Object.fromEntries(Object.entries(component).filter(([key]) => key !== "properties")) as unknown as Component;

import { access, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { arch, platform, tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { findProgram, runProcess } from "./processes.ts";

/** Real clients, which tests use if they are on PATH. The test output lists which of them ran and which did not. */

/** Arguments that print the version of a client, if they are not `--version`. */
const VERSION_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  "pan-scm-sdk": ["python", "-c", "from importlib.metadata import version; print(version('pan-scm-sdk'))"],
  "pan-scm-cli": ["python", "-c", "from importlib.metadata import version; print(version('pan-scm-cli'))"],
  "tree-sitter-groovy": [
    "python",
    "-c",
    "import tree_sitter; from importlib.metadata import version; print(version('tree-sitter-groovy'))",
  ],
  mcp: ["python", "-c", "from importlib.metadata import version; print(version('mcp'))"],
  // ansible-galaxy succeeds even if there is no such collection.
  "cdot65.scm": ["sh", "-c", "ansible-galaxy collection list cdot65.scm | sed -n 's/^cdot65.scm *//p' | grep ."],
  pulumi: ["pulumi", "version"],
};

/** Packages of npm that are used as a library, and the clients that are installed beside them. */
const PACKAGES: Readonly<Record<string, string>> = { "prisma-airs-sdk": "@cdot65/prisma-airs-sdk" };

/** Returns the directory of a package that is installed beside a program on PATH, or undefined. */
export async function findPackage(client: string): Promise<string | undefined> {
  const bins = (process.env["PATH"] ?? "").split(delimiter).filter((path) => basename(path) === ".bin");
  for (const bin of bins) {
    const directory = join(dirname(bin), PACKAGES[client] ?? client);
    const exists = await access(directory).then(
      () => true,
      () => false,
    );
    if (exists) return directory;
  }
  return undefined;
}

/** Plugins, which cannot print their version. */
const PLUGINS: readonly string[] = [
  ...["terraform-provider-scm", "terraform-provider-venafi", "terraform-provider-prismasdwan", "pulumi-resource-scm"],
  ...["pulumi-language-nodejs", "pulumi-language-yaml"],
  ...["pulumi-language-python", "pulumi-language-go"],
];

/** Returns the version of a client, for example `1.12.6`, or undefined if it is not installed. */
export async function getClientVersion(client: string): Promise<string | undefined> {
  if (client in PACKAGES) {
    const directory = await findPackage(client);
    const manifest = directory && (await readFile(join(directory, "package.json"), "utf8"));
    return manifest && (JSON.parse(manifest) as { readonly version: string }).version;
  }
  if (PLUGINS.includes(client)) return (await findProgram(client)) === undefined ? undefined : "of unknown version";
  const [command = client, ...args] = VERSION_COMMANDS[client] ?? [client, "--version"];
  const { exitCode, log } = await runProcess(command, args);
  return exitCode === 0 ? (/\d[\w.-]*/.exec(log)?.[0] ?? "of unknown version") : undefined;
}

async function findMissingClient(clients: readonly string[]): Promise<string | undefined> {
  for (const client of clients) if ((await getClientVersion(client)) === undefined) return client;
  return undefined;
}

/** The client that requires a plugin or a package. */
const NEEDED_BY: Readonly<Record<string, string>> = {
  git: "act",
  "terraform-provider-scm": "tofu",
  "pulumi-resource-scm": "pulumi",
  "pulumi-language-nodejs": "pulumi",
  "pulumi-language-yaml": "pulumi",
  "pulumi-language-python": "pulumi",
  "pulumi-language-go": "pulumi",
};

/**
 * Returns why tests are skipped, for example `NOT RUN tofu: terraform-provider-scm is not on PATH`, or false if nothing
 * is missing.
 */
export async function getSkipReason(clients: readonly string[]): Promise<string | false> {
  const missing = await findMissingClient(clients);
  return missing !== undefined && `NOT RUN ${NEEDED_BY[missing] ?? missing}: ${missing} is not on PATH`;
}

/** Reports that a real client ran, for example `RAN tofu 1.12.6: ...`. */
export async function reportRun(t: TestContext, client: string, what: string): Promise<void> {
  t.diagnostic(`RAN ${client} ${(await getClientVersion(client)) ?? ""}: ${what}`);
}

/** The programs that tests with OpenTofu need. */
export const OPENTOFU: readonly string[] = ["tofu", "terraform-provider-scm"];

/** A directory that replaces the provider registry. */
export interface ProviderMirror {
  /** Variables that make OpenTofu install providers only from this directory. */
  readonly env: Readonly<Record<string, string>>;
  readonly remove: () => Promise<void>;
}

/** The sources of the providers in the mirror, and their versions, which they cannot print. */
const PROVIDERS: Readonly<Record<string, readonly [source: string, version: string]>> = {
  scm: ["paloaltonetworks/scm", "1.0.9"],
  venafi: ["venafi/venafi", "0.24.1"],
  prismasdwan: ["paloaltonetworks/prismasdwan", "6.6.1-beta.2"],
};
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64" };

/** Makes the providers on PATH available to `tofu init`, without a network. */
export async function createProviderMirror(): Promise<ProviderMirror> {
  const directory = await mkdtemp(join(tmpdir(), "scm-auth-mirror-"));
  const target = `${platform()}_${ARCHITECTURES[arch()] ?? arch()}`;
  for (const [name, [source, version]] of Object.entries(PROVIDERS)) {
    const provider = await findProgram(`terraform-provider-${name}`);
    if (provider === undefined) continue;
    const path = join(directory, "registry.opentofu.org", source, version, target);
    await mkdir(path, { recursive: true });
    await symlink(provider, join(path, `terraform-provider-${name}_v${version}`));
  }
  const config = join(directory, "config.tfrc");
  const mirror = `filesystem_mirror {\n    path = ${JSON.stringify(directory)}\n  }`;
  await writeFile(config, `provider_installation {\n  ${mirror}\n}\n`);
  return { env: { TF_CLI_CONFIG_FILE: config }, remove: () => rm(directory, { recursive: true }) };
}

/**
 * Writes a program to a directory on PATH that does what gitlab-ci-local needs rsync for, unless there is an rsync: to
 * copy files with their relative paths.
 */
export async function ensureRsync(directory: string): Promise<void> {
  if ((await findProgram("rsync")) !== undefined) return;
  const script = `#!/bin/sh
for last; do :; done
case "$1" in -*R*) shift; mkdir -p "$last"; while [ "$#" -gt 1 ]; do cp -a --parents "$1" "$last"; shift; done ;; esac
`;
  await writeFile(join(directory, "rsync"), script, { mode: 0o755 });
}

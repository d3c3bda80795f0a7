import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ts from "typescript";
import { inputs, type Input } from "../action/inputs.ts";
import { outputs } from "../action/outputs.ts";
import { ABI, PROVIDER } from "../provider/abi.ts";
import { formatAuthFile } from "../shared/handoff/auth-file-format.ts";
import { sealHeader } from "../shared/handoff/sealed-form.ts";
import { handoffHints } from "../shared/report/handoff-hints.ts";
import { hints } from "../shared/report/hints.ts";
import type { Surface } from "./surface-changes.ts";

/** The names that a module exports, each a `value` or a `type` alone, by the text of its `export` lines. */
async function exportsOf(path: string): Promise<Readonly<Record<string, string>>> {
  const { statements } = ts.createSourceFile(path, await readFile(path, "utf8"), ts.ScriptTarget.Latest);
  const clauses = statements.flatMap((statement) =>
    ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)
      ? [{ isTypeOnly: statement.isTypeOnly, elements: statement.exportClause.elements }]
      : [],
  );
  // A form of export that is not looked at would be missing without a word.
  if (clauses.length !== statements.length) throw new Error(`${path} has more than lists of exports.`);
  return Object.fromEntries(
    clauses.flatMap(({ isTypeOnly, elements }) =>
      elements.map((element) => [element.name.text, isTypeOnly || element.isTypeOnly ? "type" : "value"] as const),
    ),
  );
}

/** Names as a table, so that each can be missed by itself. */
const names = (list: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(list.map((name) => [name, "there"]));

/** Anything will do: the fields are looked at, not what stands in them. */
const ENTRY = {
  clientId: "",
  clientSecret: "",
  scope: "",
  authUrl: "",
  jwt: "",
  jwtExpiresAt: 0,
  jwtLifetime: 0,
} as const;

/**
 * What a major version protects, as docs/versioning.md tells it: a table for each kind of thing, a row for each thing.
 *
 * @param root - the project's folder
 */
export async function publicSurface(root: string): Promise<Surface> {
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    readonly engines: Readonly<Record<string, string>>;
    readonly exports: Readonly<Record<string, unknown>>;
    readonly peerDependencies: Readonly<Record<string, string>>;
  };
  const actionYml = await readFile(join(root, "action.yml"), "utf8");
  const environment = await readFile(join(root, "shared/token/environment.ts"), "utf8");
  const authFileStep = await readFile(join(root, "action/auth-file/step.ts"), "utf8");
  const quoted = (text: string, pattern: RegExp): readonly string[] =>
    [...new Set([...text.matchAll(pattern)].flatMap(([, name = ""]) => name))].sort();
  return {
    inputs: Object.fromEntries(
      (Object.entries(inputs) as readonly (readonly [string, Input])[]).map(([name, { required, default: usual }]) => [
        name,
        required ? "required" : usual === undefined ? "optional" : `optional, else ${usual}`,
      ]),
    ),
    outputs: names(Object.keys(outputs)),
    "error codes": names([...Object.keys(hints), ...Object.keys(handoffHints)].sort()),
    "fields of the auth file": names(Object.keys(JSON.parse(formatAuthFile(ENTRY)) as object)),
    "sealed token": Object.fromEntries(
      Object.entries(sealHeader(new Uint8Array())).map(([name, value]) => [
        name,
        name === "salt" ? "base64url" : String(value),
      ]),
    ),
    "variables that are read": names(quoted(environment, /"(SCM_[A-Z_]+)"/g)),
    "variables that are set": names(quoted(authFileStep, /"(TF_VAR_\w+)"/g)),
    "entries of the package": names(Object.keys(manifest.exports)),
    "exports of scm-auth": await exportsOf(join(root, "shared/index.ts")),
    "exports of scm-auth/pulumi": await exportsOf(join(root, "provider/program/index.ts")),
    "Pulumi states": { ABI: String(ABI), __provider: PROVIDER },
    floors: {
      "node of the library": manifest.engines["node"] ?? "none",
      "node of the action": /^ {2}using: (\S+)$/m.exec(actionYml)?.[1] ?? "none",
      "@pulumi/pulumi": manifest.peerDependencies["@pulumi/pulumi"] ?? "none",
    },
  };
}

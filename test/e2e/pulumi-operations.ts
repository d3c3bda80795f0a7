import { readFile } from "node:fs/promises";
import { inRepository } from "../support/runner-job.ts";

export const UP = ["up", "--yes", "--skip-preview"] as const;
export const REFRESH = ["refresh", "--yes", "--skip-preview"] as const;
export const DESTROY = ["destroy", "--yes", "--skip-preview"] as const;
export const NO_CHANGES = ["preview", "--expect-no-changes"] as const;

/** An operation in docs/pulumi.md. */
export interface Operation {
  /** The first cell of its row. */
  readonly row: string;
  readonly args: readonly string[];
  /** Whether the program has neither the AuthFile nor the tag. Default: false. */
  readonly isWithoutAuthFile?: boolean;
  /** Whether the file of the previous operation is kept. Default: false. */
  readonly keepsFile?: boolean;
}

/**
 * Returns the operations in docs/pulumi.md, in an order that works with one stack. The program has an AuthFile named
 * `scm-auth` and a tag named `web`.
 *
 * @param type - the type of the AuthFile
 */
export function createOperations(type: string): readonly Operation[] {
  const authFile = `urn:pulumi:dev::project::${type}::scm-auth`;
  const tag = "urn:pulumi:dev::project::scm:index/tag:Tag::web";
  return [
    { row: "`preview`, the first", args: ["preview"] },
    { row: "`up`, its preview included", args: ["up", "--yes"] },
    { row: "`preview` after it, on the same machine", args: NO_CHANGES, keepsFile: true },
    { row: "`preview`, on a new machine", args: NO_CHANGES },
    { row: "`up --target` of a tag", args: [...UP, "--target", tag] },
    { row: "`up --exclude` of the AuthFile", args: [...UP, "--exclude", authFile] },
    { row: "`up --replace` of the AuthFile", args: [...UP, "--replace", authFile] },
    { row: "`up` that removes the AuthFile and a tag", args: UP, isWithoutAuthFile: true },
    { row: "`refresh`", args: REFRESH },
    { row: "`preview --refresh`", args: ["preview", "--refresh"] },
    { row: "`up --refresh`", args: [...UP, "--refresh"] },
    { row: "`destroy --refresh`", args: ["destroy", "--refresh", "--yes", "--skip-preview"] },
    { row: "`destroy`", args: DESTROY },
  ];
}

/**
 * Reads the table in docs/pulumi.md.
 *
 * @returns for each operation, the results in TypeScript by default and with PULUMI_RUN_PROGRAM, and with the plugin
 */
export async function readTable(): Promise<ReadonlyMap<string, readonly string[]>> {
  const page = await readFile(inRepository("docs/pulumi.md"), "utf8");
  const rows = page.matchAll(/^\| (`.*?) +\| (works, \d|\*\*fails\*\*) +\| (.*?) +\| (.*?) +\|$/gm);
  return new Map([...rows].map(([, name = "", ...results]) => [name, results]));
}

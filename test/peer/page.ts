import { fileURLToPath } from "node:url";
import { between, table, updateFile } from "../../scripts/marked-page.ts";

const PAGE = fileURLToPath(new URL("../../docs/from-python.md", import.meta.url));

/** What was seen of one scene. */
export interface Row {
  readonly scene: string;
  readonly pythonSdk: string;
  readonly scmAuth: string;
}

/** Signs that would mean something in a cell, outside of code too. */
const plain = (text: string): string => text.replace(/[|<>*]/g, (sign) => `\\${sign}`);

/**
 * Writes the table into docs/from-python.md, between its markers.
 *
 * @param seen - the sentence above it
 */
export async function writeTable(seen: string, rows: readonly Row[]): Promise<void> {
  const cells = rows.map((row) => [row.scene, row.pythonSdk, row.scmAuth].map(plain));
  const seenIn = table(["scene", "pan-scm-sdk", "scm-auth"], cells);
  await updateFile(PAGE, (page) => between(page, "peer", `${seen}\n\n${seenIn}`));
}

import { readFileSync } from "node:fs";
import type { Problem } from "../report/fields.ts";

/**
 * The PEM text that somebody means who gives either the certificates themselves or the path of a file: the value, or
 * what stands in that file. Undefined, with a problem told, when there is no such file or nothing in it.
 *
 * @param where - what a relative path is seen from, and what else to look at: goes into the hint
 */
export function readCaText(value: string, problems: Problem[], where: string): string | undefined {
  const text = value.trim();
  if (text === "" || text.includes("-----BEGIN")) return text;
  try {
    const found = readFileSync(text, "utf8");
    if (found.trim() !== "") return found;
    problems.push({ field: "ca", reason: "names an empty file", hint: "Put the certificates into it, in PEM form." });
  } catch {
    problems.push({
      field: "ca",
      reason: "is neither PEM text nor the path of a file that can be read",
      hint: `Give the certificates themselves (-----BEGIN CERTIFICATE----- ...) or a path, seen from ${where}`,
    });
  }
  return undefined;
}

import { readFileSync } from "node:fs";
import type { Problem } from "../shared/report/fields.ts";

/**
 * The PEM text that the input `ca-cert` means: itself, or what stands in the file that it names. Undefined,
 * with a problem told, when there is no such file or nothing in it.
 */
export function readCaCert(input: string, problems: Problem[]): string | undefined {
  const value = input.trim();
  if (value === "" || value.includes("-----BEGIN")) return value;
  try {
    const text = readFileSync(value, "utf8");
    if (text.trim() !== "") return text;
    problems.push({ field: "ca", reason: "names an empty file", hint: "Put the certificates into it, in PEM form." });
  } catch {
    problems.push({
      field: "ca",
      reason: "is neither PEM text nor the path of a file that can be read",
      hint: "Give the certificates themselves (-----BEGIN CERTIFICATE----- ...) or a path, seen from the workspace; check out the repository first if the file is in it.",
    });
  }
  return undefined;
}

import type { Problem } from "../shared/report/fields.ts";
import { readCaText } from "../shared/token/ca-text.ts";

const WHERE = "the workspace; check out the repository first if the file is in it.";

/**
 * The PEM text that the input `ca-cert` means: itself, or what stands in the file that it names. Undefined,
 * with a problem told, when there is no such file or nothing in it.
 */
export const readCaCert = (input: string, problems: Problem[]): string | undefined =>
  readCaText(input, problems, WHERE);

import { readFile } from "node:fs/promises";

/** A program that users copy from README or docs. */
export interface Program {
  /** The page, and its number there. */
  readonly name: string;
  readonly language: "ts" | "python";
  readonly code: string;
}

const repository = new URL("../../", import.meta.url);

/** Pages whose blocks in these languages are whole programs. */
const PAGES = ["README.md", "docs/from-python.md", "docs/auth-file.md", "docs/pulumi.md"];

const isLanguage = (word: string): word is Program["language"] => ["ts", "python"].includes(word);

const all: readonly Program[] = (
  await Promise.all(
    PAGES.map(async (page) => {
      const text = await readFile(new URL(page, repository), "utf8");
      return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
        .map(([, word = "", code = ""]) => [word, code] as const)
        .flatMap(([word, code]) => (isLanguage(word) ? [{ language: word, code }] : []))
        .map((program, index) => ({ ...program, name: `${page}, program ${index + 1} (${program.language})` }));
    }),
  )
).flat();

const isForPulumi = ({ code }: Program): boolean => code.includes("scm-auth/pulumi");

/** Every program of those pages that runs by itself. */
export const programs: readonly Program[] = all.filter((program) => !isForPulumi(program));

/** Every program that Pulumi runs, and unit tests of such. */
export const pulumiPrograms: readonly Program[] = all.filter(isForPulumi);

import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawn } from "../support/searched-process.ts";
import { equivalents } from "./equivalents.ts";
import { filesOf, pieceNames } from "./pieces.ts";

/**
 * `npm run stryker`: every small change that Stryker can make to the pure files of `shared/`, each against the tests
 * of its file. Prints a row for each file, and each mutant that survived without being known as equivalent. Fails when
 * less than 90 % are killed.
 *
 * `npm run stryker -- token/jws` takes the pieces that hold a file of this name.
 */

/** Fetched when asked for: no dependency, as its 170 packages are in nobody's way to a release. */
const STRYKER = "@stryker-mutator/core@10.1.1";
const ENOUGH = 90;

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** What is read of Stryker's report (mutation-testing-report-schema 2). */
interface Mutant {
  readonly status: string;
  readonly replacement?: string;
  readonly location: { readonly start: Place; readonly end: Place };
}
/** Both count from 1. */
interface Place {
  readonly line: number;
  readonly column: number;
}
interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

async function mutate(piece: string, folder: string): Promise<Report> {
  const report = join(folder, `${piece}.json`);
  const args = ["--yes", `--package=${STRYKER}`, "stryker", "run", "test/stryker/config.ts"];
  const child = spawn("npx", args, {
    cwd: repository,
    env: { ...process.env, SCM_AUTH_PIECE: piece, SCM_AUTH_REPORT: report },
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`Stryker failed for ${piece} (${String(code)}).`);
  return JSON.parse(await readFile(report, "utf8")) as Report;
}

const onOneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

function codeOf(source: string, { start, end }: Mutant["location"]): string {
  const lines = source.split("\n");
  const offset = ({ line, column }: Place): number =>
    lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0) + column - 1;
  return onOneLine(source.slice(offset(start), offset(end)));
}

const isEquivalent = (file: string, line: string, code: string, replacement: string): boolean =>
  equivalents.some(
    (known) =>
      file === `shared/${known.file}.ts` &&
      (known.code ?? code) === code &&
      (known.as ?? replacement) === replacement &&
      line.includes(known.by ?? ""),
  );

/** What became of a file's mutants. */
interface Row {
  readonly file: string;
  readonly killed: number;
  readonly equivalent: number;
  readonly survived: number;
}

function judge(file: string, { source, mutants }: Report["files"][string]): Row {
  const count = { killed: 0, equivalent: 0, survived: 0 };
  for (const { status, replacement = "", location } of mutants) {
    // Does not even load: no test was asked.
    if (status === "RuntimeError" || status === "Ignored") continue;
    const [code, instead] = [codeOf(source, location), onOneLine(replacement)];
    if (status === "Killed" || status === "Timeout") count.killed++;
    else if (isEquivalent(file, source.split("\n")[location.start.line - 1] ?? "", code, instead)) count.equivalent++;
    else {
      count.survived++;
      console.log(`${status} ${file}:${location.start.line} ${code.slice(0, 100)}  ->  ${instead.slice(0, 100)}`);
    }
  }
  return { file, ...count };
}

const share = (rows: readonly Row[]): number => {
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return (100 * sum(({ killed }) => killed)) / sum(({ killed, survived }) => killed + survived);
};

const word = process.argv[2] ?? "";
const chosen = pieceNames.filter((piece) => filesOf(piece).some((file) => file.includes(word)));
if (chosen.length === 0) throw new Error(`No file of a piece holds "${word}" in its name.`);
const folder = await mkdtemp(join(tmpdir(), "scm-auth-stryker-"));
try {
  const rows: Row[] = [];
  for (const piece of chosen)
    for (const [file, of] of Object.entries((await mutate(piece, folder)).files)) rows.push(judge(file, of));
  console.log("\n| file | killed | survived | equivalent | score |\n| --- | --: | --: | --: | --: |");
  const line = (name: string, of: readonly Row[]): string => {
    const sum = (key: "killed" | "survived" | "equivalent"): number => of.reduce((total, row) => total + row[key], 0);
    return `| ${name} | ${sum("killed")} | ${sum("survived")} | ${sum("equivalent")} | ${share(of).toFixed(1)} % |`;
  };
  for (const row of rows) console.log(line(`\`${row.file}\``, [row]));
  console.log(line("all", rows));
  if (share(rows) < ENOUGH) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

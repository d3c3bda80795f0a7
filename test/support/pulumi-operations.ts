import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { between, markedPart, table, updateFile } from "../../scripts/marked-page.ts";

/** The operations of Pulumi, and the table that docs/pulumi.md has of them. */

/** One of them. Its arguments may hold `<AuthFile>` and `<Tag>`, for the URNs of those. */
export interface Operation {
  readonly name: string;
  readonly args: readonly string[];
  /** Whether it runs the program by itself; the others do with `PULUMI_RUN_PROGRAM=true`. */
  readonly runsProgram: boolean;
  /** Whether it finds the file of the operation before, as on one machine. Else none. */
  readonly findsFile?: true;
  /** Whether it works, as it is and with that variable. */
  readonly works: readonly [plain: boolean, runProgram: boolean];
}

const UP = ["up", "--yes", "--skip-preview"] as const;
const both = [true, true] as const;

/** In the order in which one stack goes through them. */
export const OPERATIONS: readonly Operation[] = [
  { name: "`preview`, the first", args: ["preview"], runsProgram: true, works: both },
  { name: "`up`, its preview included", args: ["up", "--yes"], runsProgram: true, works: both },
  {
    name: "`preview` after it, on the same machine",
    args: ["preview", "--expect-no-changes"],
    runsProgram: true,
    findsFile: true,
    works: both,
  },
  {
    name: "`preview`, on a new machine",
    args: ["preview", "--expect-no-changes"],
    runsProgram: true,
    works: both,
  },
  { name: "`up --target` of a tag", args: [...UP, "--target", "<Tag>"], runsProgram: true, works: both },
  { name: "`up --exclude` of the AuthFile", args: [...UP, "--exclude", "<AuthFile>"], runsProgram: true, works: both },
  { name: "`up --replace` of the AuthFile", args: [...UP, "--replace", "<AuthFile>"], runsProgram: true, works: both },
  { name: "`refresh`", args: ["refresh", "--yes", "--skip-preview"], runsProgram: false, works: [false, true] },
  { name: "`preview --refresh`", args: ["preview", "--refresh"], runsProgram: false, works: [false, true] },
  { name: "`up --refresh`", args: [...UP, "--refresh"], runsProgram: false, works: [false, true] },
  {
    name: "`destroy --refresh`",
    args: ["destroy", "--refresh", "--yes", "--skip-preview"],
    runsProgram: false,
    works: [false, false],
  },
  { name: "`destroy`", args: ["destroy", "--yes", "--skip-preview"], runsProgram: false, works: [false, true] },
];

/** What was seen of one operation. */
export interface Seen {
  readonly ok: boolean;
  /** Token requests. */
  readonly requests: number;
}

/** A row: what was seen as it is, and with the variable. */
export interface Row {
  readonly name: string;
  readonly plain: Seen;
  /** Undefined where it makes no difference. */
  readonly runProgram: Seen | undefined;
}

const PAGE = fileURLToPath(new URL("../../docs/pulumi.md", import.meta.url));

const cell = ({ ok, requests }: Seen): string => (ok ? `works, ${requests}` : "**fails**");

/** The rows as Markdown. */
export const tableOf = (rows: readonly Row[]): string =>
  table(
    ["operation", "as it is", "with `PULUMI_RUN_PROGRAM=true`"],
    rows.map(({ name, plain, runProgram }) => [name, cell(plain), runProgram ? cell(runProgram) : "the same"]),
  );

/** What the page has between its markers. */
export const tableOfPage = async (): Promise<string> => markedPart(await readFile(PAGE, "utf8"), "pulumi").trim();

/** A table as it would stand in the page. */
export const formatted = async (markdown: string): Promise<string> =>
  (await format(markdown, { ...(await resolveConfig(PAGE)), filepath: PAGE })).trim();

/** Writes a table into the page. */
export const writeTable = (markdown: string): Promise<void> =>
  updateFile(PAGE, (page) => between(page, "pulumi", markdown));

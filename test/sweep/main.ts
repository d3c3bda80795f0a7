import { openStage } from "./stage.ts";
import { sweep, type Tally } from "./sweep.ts";
import { LINES, type Signer } from "./table.ts";

/**
 * `npm run sweep`: the answers to both requests of a sign-in, cut at every byte, headers and TLS handshake included, in
 * each way that a network cuts. Prints a table; a fault in any line fails the command.
 *
 * Two passes: `core` calls the sign-in of the core in this process, and `step` runs the action's bundle as a step of a
 * workflow. `npm run sweep -- PASS BYTES WORDS` runs one pass, at every so many bytes, over the lines that hold these
 * words, as in `TLS, keys, a FIN`.
 */

/** After how many bytes each cuts: a process costs much more. */
const STEPS: Readonly<Record<Signer, number>> = { core: 1, step: 13 };

const [pass = "all", step, words = ""] = process.argv.slice(2);
const signers = (Object.keys(STEPS) as Signer[]).filter((name) => pass === "all" || pass === name);
if (signers.length === 0 || (step !== undefined && !(Number(step) >= 1)))
  throw new Error(`Usage: npm run sweep -- [all|${Object.keys(STEPS).join("|")}] [BYTES] [WORDS]`);

const COLUMNS = ["way", "answer", "cut by", "cases", "failed in time", "proved", "slowest", "latest"];
const row = (cells: readonly unknown[]): string => `| ${cells.join(" | ")} |`;

async function run(signer: Signer): Promise<string> {
  const every = Number(step ?? STEPS[signer]);
  console.log(`\n${signer}, at every ${every === 1 ? "byte" : `${every} bytes`}\n\n${row(COLUMNS)}`);
  console.log(row(COLUMNS.map((_, n) => (n < 3 ? "-" : "-:"))));
  const tallies: Tally[] = [];
  for (const line of LINES) {
    const cells = [line.way, line.answer, line.cut];
    if (!cells.join(", ").includes(words)) continue;
    // A new one each time: the servers keep all that they were asked.
    const stage = await openStage();
    try {
      const tally = await sweep(stage, line, { signer, step: every });
      tallies.push(tally);
      const times = [tally.longest, tally.latest].map((ms) => `${Math.round(ms)} ms`);
      console.log(row([...cells, tally.cases, tally.failed, tally.proved, ...times]));
    } catch (error) {
      process.exitCode = 1;
      const message = error instanceof Error ? error.message : String(error);
      console.log(row([...cells, `FAULT: ${message.replaceAll(/\s+/g, " ")}`]));
    } finally {
      await stage.close();
    }
  }
  const sum = (key: keyof Tally): number => tallies.reduce((total, tally) => total + tally[key], 0);
  return `${signer}: ${sum("cases")} cases, ${sum("failed")} failed in time, ${sum("proved")} proved`;
}

const totals: string[] = [];
for (const signer of signers) totals.push(await run(signer));
console.log(`\n${totals.join("\n")}`);

import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { spawn } from "../support/searched-process.ts";
import "./keep-tests-hook.ts";
import { keepTestsOf, type KeptTest } from "./kept-tests.ts";
import { testsOf } from "./pieces.ts";

/**
 * A test runner for Stryker (its plugin interface, `@stryker-mutator/api` 10). One process runs all mutants one after
 * the other, each against the tests that reach it: a tenth of the time that a process for each mutant takes.
 *
 * Two things would spoil the outcome in one process, and are not left to luck. A mutant in what runs once, when a module
 * is loaded, gets processes of its own. And a test that fails under a mutant must pass again without it; if it does not,
 * an earlier one left something behind, and processes of its own decide.
 */

// A test has its own ears for these; what comes between two tests must not end the process.
process.on("unhandledRejection", () => undefined).on("uncaughtException", () => undefined);

/** What Stryker's instrumented code reads and writes. */
interface Instruments {
  activeMutant?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  currentTestId?: string | undefined;
  mutantCoverage?: unknown;
}
const instruments: Instruments = ((globalThis as { __stryker__?: Instruments }).__stryker__ ??= {});
/** The same for processes that tests start. */
const ACTIVE_MUTANT = "__STRYKER_ACTIVE_MUTANT__";

interface MutantRun {
  readonly activeMutant: { readonly id: string };
  /** The tests that reach the mutant; undefined when it is reached while modules load. */
  readonly testFilter?: readonly string[];
  readonly hitLimit?: number;
}
type Outcome =
  | { readonly status: "killed"; readonly killedBy: readonly string[]; readonly failureMessage: string; readonly nrOfTests: number }
  | { readonly status: "survived"; readonly nrOfTests: number }
  | { readonly status: "timeout" }; // prettier-ignore

const PASSED = 0;
const FAILED = 1;

class InProcessRunner {
  readonly #files = testsOf(process.env["SCM_AUTH_PIECE"] ?? "");
  #tests: readonly KeptTest[] | undefined;

  /** Asked by Stryker: no fresh process is needed for each mutant that is reached while modules load. */
  capabilities(): object {
    return { reloadEnvironment: true };
  }

  async #load(): Promise<readonly KeptTest[]> {
    const tests: KeptTest[] = [];
    for (const file of this.#files) tests.push(...(await keepTestsOf(file)));
    return tests;
  }

  /** Runs all tests without any mutant, and notes what each reaches. */
  async dryRun(): Promise<object> {
    instruments.mutantCoverage = { static: {}, perTest: {} };
    this.#tests ??= await this.#load();
    const tests: object[] = [];
    for (const { id, run } of this.#tests) {
      instruments.currentTestId = id;
      const begun = performance.now();
      const failure = await failureOf(run);
      const passed = failure === undefined;
      tests.push({
        ...{ id, name: id, timeSpentMs: performance.now() - begun, status: passed ? PASSED : FAILED },
        ...(!passed && { failureMessage: failure }),
      });
    }
    const { mutantCoverage } = instruments;
    instruments.currentTestId = instruments.mutantCoverage = undefined;
    return { status: "complete", tests, mutantCoverage };
  }

  /** Runs the tests that reach a mutant until one fails. */
  async mutantRun({ activeMutant: { id }, testFilter, hitLimit }: MutantRun): Promise<Outcome> {
    if (testFilter === undefined) return runApart(id, this.#files);
    this.#tests ??= await this.#load();
    const reaching = this.#tests.filter((test) => testFilter.includes(test.id));
    for (const [n, test] of reaching.entries()) {
      activate(id, hitLimit);
      const failure = await failureOf(test.run);
      const endless = (instruments.hitCount ?? 0) > (hitLimit ?? Infinity);
      activate(undefined);
      if (endless) return { status: "timeout" };
      if (failure === undefined) continue;
      if ((await failureOf(test.run)) !== undefined) return runApart(id, this.#files);
      return { status: "killed", killedBy: [test.id], failureMessage: failure, nrOfTests: n + 1 };
    }
    return { status: "survived", nrOfTests: reaching.length };
  }
}

function activate(id: string | undefined, hitLimit?: number): void {
  instruments.activeMutant = id;
  instruments.hitCount = 0;
  instruments.hitLimit = hitLimit;
  // None has this number.
  process.env[ACTIVE_MUTANT] = id ?? "-1";
}

async function failureOf(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const UNTIL_FAILURE = fileURLToPath(new URL("until-failure.ts", import.meta.url));

/** Runs test files in a process that has the mutant from its beginning. */
async function runApart(id: string, files: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, [ACTIVE_MUTANT]: id };
  const child = spawn(process.execPath, [UNTIL_FAILURE, ...files], { env, stdio: "ignore" });
  const [code] = (await once(child, "close")) as [number | null];
  return code === 0
    ? { status: "survived", nrOfTests: files.length }
    : { status: "killed", killedBy: [], failureMessage: "a test fails", nrOfTests: 1 };
}

/** Read by Stryker. */
export const strykerPlugins = [{ kind: "TestRunner", name: "in-process", injectableClass: InProcessRunner }];

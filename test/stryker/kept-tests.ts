import { resolve } from "node:path";
import { mock } from "node:test";
import { pathToFileURL } from "node:url";

/**
 * Stands in for `node:test` where one process runs the same tests for many mutants: a file's tests are kept instead of
 * run, and each can be run as often as wanted. It knows what the tests of `shared/` use, and no more.
 */

/** What a test gets: the part of node's TestContext that is in use. */
interface Context {
  readonly name: string;
  readonly mock: typeof mock;
  readonly after: (end: () => unknown) => void;
  readonly skip: () => void;
  readonly diagnostic: () => void;
}
type TestBody = (context: Context) => unknown;
interface Options {
  readonly skip?: boolean | string;
}

/** A test that can be run, again and again. */
export interface KeptTest {
  readonly id: string;
  /** @throws what the test throws, or what it left behind rejects with */
  readonly run: () => Promise<void>;
}

const kept: KeptTest[] = [];
const beginnings: (() => unknown)[] = [];
let file = "";
let outer = "";

/** Imports a test file, seen from the working directory, and keeps its tests. */
export async function keepTestsOf(path: string): Promise<readonly KeptTest[]> {
  file = path;
  kept.length = 0;
  beginnings.length = 0;
  await import(pathToFileURL(resolve(path)).href);
  for (const begin of beginnings) await begin();
  return [...kept];
}

const apart = (options: Options | TestBody, body?: TestBody): readonly [Options, TestBody | undefined] =>
  typeof options === "function" ? [{}, options] : [options, body];

/** `test` of node:test. */
export function test(name: string, optionsOrBody: Options | TestBody, ifOptions?: TestBody): void {
  const [{ skip }, body] = apart(optionsOrBody, ifOptions);
  if (skip !== undefined && skip !== false) return;
  if (body === undefined) throw new Error(`The test "${name}" has no body.`);
  kept.push({ id: `${file} #${kept.length} ${outer}${name}`, run: () => run(name, body) });
}

/** `suite` of node:test; its tests run one after the other. */
export function suite(name: string, optionsOrBody: Options | (() => void), ifOptions?: () => void): void {
  const [{ skip }, body] = apart(optionsOrBody, ifOptions);
  if (skip !== undefined && skip !== false) return;
  const before = outer;
  outer = `${outer}${name}: `;
  (body as () => void)();
  outer = before;
}
export { suite as describe };

/** `before` of node:test. */
export const before = (begin: () => unknown): void => {
  beginnings.push(begin);
};

/** `after` of node:test. The process ends when all mutants are tried, and with it what was to be taken down. */
export const after = (): void => undefined;

async function run(name: string, body: TestBody): Promise<void> {
  const ends: (() => unknown)[] = [];
  let onStray: (error: unknown) => void = () => undefined;
  const stray = new Promise<never>((_resolve, reject) => {
    onStray = reject;
  });
  stray.catch(() => undefined);
  process.on("unhandledRejection", onStray).on("uncaughtException", onStray);
  const context: Context = {
    name,
    mock,
    after: (end) => {
      ends.unshift(end);
    },
    skip: () => undefined,
    diagnostic: () => undefined,
  };
  try {
    await Promise.race([body(context), stray]);
    // What the test did not wait for may still fail.
    await Promise.race([new Promise(setImmediate), stray]);
  } finally {
    for (const end of ends) await end();
    mock.reset();
    process.off("unhandledRejection", onStray).off("uncaughtException", onStray);
  }
}

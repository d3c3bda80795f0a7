import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { ensureAuthFile } from "../../../shared/handoff/ensure-auth-file.ts";
import { readOwnFile } from "../../../shared/handoff/own-file.ts";
import { replaceFile } from "../../../shared/handoff/replace-file.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import type { AuthRequestInput } from "../../../shared/token/auth-request.ts";

/** What a writer is told, as JSON in its one argument. */
export interface WriterOrder {
  readonly path: string;
  readonly request: AuthRequestInput;
  readonly minTtl?: number;
  readonly timeout?: number;
  /** How often it makes sure of the file, and the pause after each time in milliseconds. Default: once. */
  readonly rounds?: number;
  readonly pause?: number;
  /** Whether it says `ready` first, and waits for a line. */
  readonly waits?: boolean;
  /** Runs as this user, where the one who started it may. */
  readonly uid?: number;
  readonly umask?: number;
  /** Instead: writes what it finds again, as fast as it can and without the lock, as a keeper of it might. */
  readonly isRenewing?: boolean;
  /** Instead: renews the file with this text when it is still there, and says `ready` and waits before it renames. */
  readonly renewal?: string;
}

/** What a writer says for each round, as a line of JSON. */
export type WriterSaid =
  | { readonly minted: boolean; readonly warnings: readonly string[] }
  | { readonly code: string; readonly message: string };

const order = JSON.parse(process.argv[2] ?? "{}") as WriterOrder;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const say = (said: unknown): void => {
  process.stdout.write(`${JSON.stringify(said)}\n`);
};
const turn = async (): Promise<void> => {
  say("ready");
  await lines.next();
};

async function makeSure(): Promise<WriterSaid> {
  const { path, request, minTtl, timeout = 60 } = order;
  try {
    const { minted, warnings } = await ensureAuthFile(request, { path, minTtl, timeout });
    return { minted, warnings };
  } catch (error) {
    return AuthError.isAuthError(error)
      ? { code: error.code, message: error.message }
      : { code: "no AuthError", message: String(error) };
  }
}

if (order.umask !== undefined) process.umask(order.umask);
if (order.uid !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(order.uid);
  process.setuid?.(order.uid);
}
async function makeSureAgainAndAgain(): Promise<void> {
  for (let round = 0; round < (order.rounds ?? 1); round++) {
    say(await makeSure());
    await delay(order.pause ?? 0);
  }
}

async function renewAgainAndAgain(): Promise<void> {
  const { path } = order;
  for (;;) {
    const found = await readOwnFile(path);
    // A newer token must not give way to an older one.
    const stillWanted = async (): Promise<boolean> => (await readOwnFile(path))?.text === found?.text;
    if (found !== undefined) await replaceFile(path, found.text, { stillWanted });
  }
}

async function renewOnce(path: string, text: string): Promise<void> {
  const stillWanted = async (): Promise<boolean> => {
    const isThere = existsSync(path);
    await turn();
    return isThere;
  };
  say(await replaceFile(path, text, { stillWanted }));
}

if (order.waits === true) await turn();
if (order.renewal !== undefined) await renewOnce(order.path, order.renewal);
else if (order.isRenewing === true) await renewAgainAndAgain();
else await makeSureAgainAndAgain();
process.stdin.destroy();

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parseAuthFile } from "../../shared/handoff/auth-file-format.ts";

/** What a reader saw. */
export interface Seen {
  looks: number;
  /** Looks that found no file. */
  missing: number;
  /** Looks that found a token that had ended. */
  ended: number;
  /** Looks that found another text than a whole auth file. */
  unparsable: number;
  /** Looks that found a file which others could read. */
  wrongModes: number;
}

/** Looks at the file named in its one argument until its input ends, then says what it saw as JSON. */
const path = process.argv[2] ?? "";
const seen: Seen = { looks: 0, missing: 0, ended: 0, unparsable: 0, wrongModes: 0 };
const state = { isOver: false };
process.stdin.on("end", () => (state.isOver = true)).resume();

function look(): void {
  seen.looks++;
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY);
  } catch {
    seen.missing++;
    return;
  }
  try {
    if (process.platform !== "win32" && (fstatSync(file).mode & 0o777) !== 0o600) seen.wrongModes++;
    const entry = parseAuthFile(readFileSync(file, "utf8"));
    if (entry === undefined) seen.unparsable++;
    else if (entry.jwtExpiresAt <= Date.now()) seen.ended++;
  } finally {
    closeSync(file);
  }
}

while (!state.isOver) {
  look();
  await delay(1);
}
console.log(JSON.stringify(seen));

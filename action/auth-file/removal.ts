import { systemClock } from "../../shared/clock.ts";
import type { AuthFileEntry } from "../../shared/handoff/auth-file-format.ts";
import { endKeeper } from "../../shared/handoff/found-endpoint.ts";
import { readOwnFile } from "../../shared/handoff/own-file.ts";
import { removeFile } from "../../shared/handoff/replace-file.ts";
import type { Runner } from "../runner.ts";
import { KEPT, OWNERSHIP, PATH, STOOD } from "./kept-for-post.ts";
import { ownEntry } from "./ownership.ts";

/**
 * Ends the keeper and takes the file away, if the main step left one. What is not ours stays, and nothing is killed.
 */
export async function takeAuthFileAway(runner: Runner): Promise<void> {
  const path = runner.kept(PATH);
  if (path === "") return;
  const ownership = runner.kept(OWNERSHIP);
  const wasKept = runner.kept(KEPT) === "true";
  // A main step that was cut off, or failed, has told the reader itself what is not there.
  const stood = runner.kept(STOOD) === "true";
  const isOurs = (text: string): boolean => ownEntry(text, ownership) !== undefined;

  const found = await readOwnFile(path).catch(() => "foreign" as const);
  if (found === undefined) {
    // What its writer left that was killed half-way.
    await removeFile(path, { isOurs });
    if (wasKept && stood)
      runner.warning(
        `The auth file was gone before the job's end (${path}), and its keeper ended with it. Does a later checkout or cleaning step remove it?`,
      );
    return;
  }
  const entry = found === "foreign" ? undefined : ownEntry(found.text, ownership);
  if (entry === undefined) {
    if (stood) runner.warning(`What lies at the auth file's path is not this step's (${path}); it stays.`);
    return;
  }
  const counts = wasKept ? await askForTheEnd(entry) : undefined;
  const removed = await removeFile(path, { isOurs });
  if (counts?.refused)
    runner.warning(
      `The auth file is removed. Its keeper renewed it ${times(counts)}, until the auth server refused a renewal. Was the client secret changed or revoked?`,
    );
  else if (counts !== undefined) runner.say(`The auth file is removed. Its keeper renewed it ${times(counts)}.`);
  else if (!wasKept) runner.say("The auth file is removed.");
  else
    runner.warning(
      `The keeper of the auth file had died before the job's end${removed ? "; the file is removed now" : ""}.`,
    );
}

const askForTheEnd = ({ authUrl, clientSecret }: AuthFileEntry) =>
  endKeeper({ authUrl, clientSecret }, { clock: systemClock, signal: new AbortController().signal });

function times({ renewals, outages }: { readonly renewals: number; readonly outages: number }): string {
  const count = (number: number, name: string) => `${number} ${name}${number === 1 ? "" : "s"}`;
  return `${count(renewals, "time")}${outages === 0 ? "" : `, through ${count(outages, "outage")} of the auth server`}`;
}

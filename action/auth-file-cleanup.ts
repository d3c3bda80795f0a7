import { lstat } from "node:fs/promises";
import { dirname } from "node:path";
import type { AuthFileContent } from "../shared/auth-file/format.ts";
import type { RefreshGap, RefreshStats } from "../shared/auth-file/refresher.ts";
import { readPrivateFile, removeManagedFile } from "../shared/auth-file/safe-files.ts";
import { stopRefresher } from "../shared/auth-file/token-server-client.ts";
import { sleep, systemClock, type Milliseconds } from "../shared/clock.ts";
import { formatDuration } from "../shared/duration.ts";
import { AuthError } from "../shared/errors.ts";
import { isRunning, type ProcessId } from "../shared/process-id.ts";
import { parseIfOwn } from "../shared/auth-file/managed-file.ts";
import type { Runner } from "./runner.ts";

/** Names of the values saved for the post step. No value is a secret. */
export const STATE = Object.freeze({
  /** The absolute path; empty if the post step of an earlier step removes the file. */
  path: "auth-file",
  fingerprint: "auth-file-fingerprint",
  /** `true` once the file is written. */
  isWritten: "auth-file-written",
  /** `<pid> <start time>` of the refresher; empty if there is none. */
  refresher: "auth-file-refresher",
});

const TERMINATE_TIMEOUT: Milliseconds = 2000;
const POLL_INTERVAL: Milliseconds = 50;

/** Stops the refresher and removes the auth file of this step. A file that another process created is kept. */
export async function cleanUpAuthFile(runner: Runner): Promise<void> {
  const path = runner.getState(STATE.path);
  if (path === "") return;
  const fingerprint = runner.getState(STATE.fingerprint);
  const refresher = parseProcessId(runner.getState(STATE.refresher));
  // The fingerprint identifies the file even if a step changed its owner.
  const file = await readPrivateFile(path, { anyOwner: true }).catch((error: unknown) =>
    AuthError.isAuthError(error) ? error : undefined,
  );
  const isFailed = AuthError.isAuthError(file);
  const details = isFailed ? await describeFile(path) : "";
  const content = file === undefined || isFailed ? undefined : parseIfOwn(file.text, fingerprint);
  // If the refresher was killed, another program may be using its port.
  const wasRunning = refresher !== undefined && isRunning(refresher);
  const stats = content && wasRunning ? await stopRefresher(content) : undefined;
  if (refresher !== undefined && stats === undefined) await terminate(refresher);
  // This also removes temporary files left behind by a process that was killed.
  const isOwn = (text: string): boolean => parseIfOwn(text, fingerprint) !== undefined;
  try {
    await removeManagedFile(path, isOwn, { anyOwner: true });
    if (stats !== undefined) runner.info(`Removed the auth file (refreshed ${formatCounts(stats)}).`);
  } finally {
    if (stats !== undefined) warnAboutExpiry(runner, stats);
  }

  if (stats !== undefined) return;
  if (content !== undefined && refresher === undefined) runner.info("Removed the auth file.");
  else if (content !== undefined)
    runner.warning(
      `The auth file refresher ${wasRunning ? "did not respond" : "exited before the job ended"}. ${describeExpiry(content)}The auth file was removed.`,
    );
  // If the main step failed or was canceled, it has already reported that.
  else if (runner.getState(STATE.isWritten) !== "true") return;
  // Without a refresher, this is normal if a later step with the same file has already removed it.
  else if (file === undefined && refresher === undefined)
    runner.info(`The auth file (${path}) was already removed, for example by the post step of a later sign-in.`);
  else if (file === undefined)
    runner.warning(
      `The auth file (${path}) was removed before the job ended. Does a later step clean its directory (for example a checkout), or terminate all Node.js processes (for example pkill node)?`,
    );
  else {
    const reason = isFailed ? capitalize(file.description) : `The file at ${path} was not created by this step.`;
    runner.warning(`${reason}${details} It was not removed.`);
  }
}

/** Says what is known about a file that cannot be read: when it was written, and who owns its directory. */
async function describeFile(path: string): Promise<string> {
  const [file, directory] = await Promise.all(
    [path, dirname(path)].map((entry) => lstat(entry).catch(() => undefined)),
  );
  const user = process.geteuid?.() ?? directory?.uid;
  const owner =
    directory === undefined || directory.uid === user
      ? ""
      : ` Its directory belongs to another user (uid ${directory.uid}).`;
  return file === undefined ? owner : `${owner} It was last written at ${file.mtime.toISOString()}.`;
}

/** Says when the token expired for the providers, unless it is still valid. */
const describeExpiry = ({ jwtExpiresAt }: AuthFileContent): string =>
  jwtExpiresAt > Date.now()
    ? ""
    : `The providers could not use its token after ${new Date(jwtExpiresAt).toISOString()}. `;

const formatCounts = ({ renewals, outages }: RefreshStats): string =>
  [formatCount(renewals, "time"), ...(outages === 0 ? [] : [formatCount(outages, "outage")])].join(", ");

function warnAboutExpiry(runner: Runner, { gap, rejection }: RefreshStats): void {
  if (gap !== undefined) runner.warning(describeGap(gap));
  else if (rejection !== undefined)
    runner.warning(
      `The auth server rejected a renewal of the auth file: ${rejection.message} ${rejection.hint} See ${rejection.docs}`,
    );
}

function describeGap({ since, until, failedAttempts, error }: RefreshGap): string {
  const renewal = until === undefined ? "was not renewed" : `was renewed only ${formatDuration(until - since)} later`;
  const reason =
    error === undefined
      ? "because the machine or the background process was suspended."
      : `after ${formatCount(failedAttempts, "failed attempt")}. The last error: ${error.message} ${error.hint} See ${error.docs}`;
  return `The token in the auth file expired at ${new Date(since).toISOString()} and ${renewal}, ${reason}`;
}

const formatCount = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Parses `<pid> <start time>`, which the main step saved. */
function parseProcessId(text: string): ProcessId | undefined {
  const [, pid = "", startedAt = ""] = /^([1-9]\d*) (\d*)$/.exec(text) ?? [];
  return pid === "" ? undefined : { pid: Number(pid), startedAt: startedAt === "" ? undefined : startedAt };
}

/**
 * Terminates the process with a signal, but only if its start time is known. Otherwise, its ID may belong to another
 * process by now.
 */
async function terminate(refresher: ProcessId): Promise<void> {
  if (refresher.startedAt === undefined || !isRunning(refresher)) return;
  sendSignal(refresher, "SIGTERM");
  const end = systemClock.monotonic() + TERMINATE_TIMEOUT;
  while (isRunning(refresher) && systemClock.monotonic() < end) await sleep(systemClock, POLL_INTERVAL);
  if (isRunning(refresher)) sendSignal(refresher, "SIGKILL");
}

/** Sends a signal. A process that has just exited or that belongs to another user is not an error. */
function sendSignal({ pid }: ProcessId, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // There is nothing else to try.
  }
}

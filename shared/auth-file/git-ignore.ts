import { execFile } from "node:child_process";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { systemClock, type Milliseconds } from "../clock.ts";
import { printablePath, type FileLimits } from "./safe-files.ts";

/** The time limit for git, which is also at most a third of the remaining time. */
const GIT_TIMEOUT: Milliseconds = 3000;

/**
 * Returns a warning if `git add --all` would add the auth file at `path`. Returns no warning if Git is not installed or
 * does not answer in time. Never throws.
 */
export async function getGitWarnings(
  path: string,
  { deadline = Infinity, signal }: FileLimits = {},
): Promise<readonly string[]> {
  const args = ["-C", dirname(path), "-c", "core.fsmonitor=false", "check-ignore", "--quiet", "--", path];
  // Windows searches the working directory first, so git must not be started in one where others could put a git.exe.
  const options = { cwd: dirname(process.execPath), windowsHide: true, killSignal: "SIGKILL", signal } as const;
  // A timeout of 0 would mean no limit.
  const timeout = Math.max(1, Math.floor(Math.min(GIT_TIMEOUT, (deadline - systemClock.monotonic()) / 3)));
  try {
    await promisify(execFile)("git", args, { ...options, timeout });
    return [];
  } catch (error) {
    // Exit code 1 means that the file is not ignored. Any other code is an error, for example 128 outside a work tree.
    if ((error as { readonly code?: unknown }).code !== 1) return [];
    const line = printablePath(basename(path));
    return [`git does not ignore the auth file, so it could be committed. Add this line to .gitignore: ${line}`];
  }
}

import { execFile } from "node:child_process";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import type { Milliseconds } from "../clock.ts";
import { printablePath } from "./safe-files.ts";

const GIT_TIMEOUT: Milliseconds = 3000;

/**
 * Returns a warning if `git add --all` would add the auth file at `path`. Returns no warning if Git is not installed or
 * does not answer in time. Never throws.
 */
export async function getGitWarnings(path: string): Promise<readonly string[]> {
  const args = ["-C", dirname(path), "-c", "core.fsmonitor=false", "check-ignore", "--quiet", "--", path];
  // Windows searches the working directory first, so git must not be started in one where others could put a git.exe.
  const options = { cwd: dirname(process.execPath), timeout: GIT_TIMEOUT, windowsHide: true };
  try {
    await promisify(execFile)("git", args, options);
    return [];
  } catch (error) {
    // Exit code 1 means that the file is not ignored. Any other code is an error, for example 128 outside a work tree.
    if ((error as { readonly code?: unknown }).code !== 1) return [];
    const line = printablePath(basename(path));
    return [`git does not ignore the auth file, so it could be committed. Add this line to .gitignore: ${line}`];
  }
}

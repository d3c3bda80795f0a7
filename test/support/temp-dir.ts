import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Creates a temporary directory that is removed after the test. Its path contains no symbolic links. */
export async function createTempDir(t: { readonly after: (callback: () => Promise<void>) => void }): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "scm-auth-test-")));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));
  return directory;
}

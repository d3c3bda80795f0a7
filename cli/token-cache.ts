import { createHmac } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import type { AuthRequest } from "../shared/auth-request.ts";
import type { Environment } from "../shared/environment.ts";

/**
 * Returns the user's directory for tokens, which is removed at logout where the system has such a directory
 * (XDG_RUNTIME_DIR); undefined if the user has no home directory.
 */
export function getCacheDirectory(env: Environment): string | undefined {
  const { XDG_RUNTIME_DIR: runtime = "", XDG_CACHE_HOME: cache = "", LOCALAPPDATA: appData = "" } = env;
  if (process.platform === "win32") return appData === "" ? undefined : join(appData, "scm-auth");
  if (runtime.startsWith("/")) return join(runtime, "scm-auth");
  const home = env["HOME"] ?? homedir();
  if (!home.startsWith("/")) return undefined;
  if (process.platform === "darwin") return join(home, "Library/Caches/scm-auth");
  return join(cache.startsWith("/") ? cache : join(home, ".cache"), "scm-auth");
}

/**
 * Returns the name of the cache file for an account and scope. It depends on the secret, so that a call with a wrong
 * secret fails, and it does not reveal the secret.
 */
export function getCacheFileName({ tokenUrl, clientId, clientSecret, scope }: AuthRequest): string {
  const digest = createHmac("sha256", clientSecret)
    .update(JSON.stringify([tokenUrl.href, clientId, scope]))
    .digest("hex");
  return `token-${digest.slice(0, 16)}.json`;
}

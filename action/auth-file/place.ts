import { createHash } from "node:crypto";
import { isAbsolute, join, relative, resolve } from "node:path";
import { configError } from "../../shared/report/errors.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";

/** Where an auth file goes. */
export interface Place {
  /** Absolute. */
  readonly path: string;
  /** Whether the runner's own cleaning between jobs reaches it. */
  readonly isTemporary: boolean;
}

/**
 * The place of a step's auth file. The usual one lies directly in the runner's temporary folder (a folder of our own
 * there could not be cleaned when a container's root made it), under a name that each identity has for itself.
 *
 * @param wish - its path, seen from the workspace; `true` for the usual one
 * @param temp - `RUNNER_TEMP`
 * @throws AuthError of kind `config` where there is no usual place
 */
export function placeOf(wish: string | true, request: AuthRequest, temp: string | undefined): Place {
  const hasTemp = temp !== undefined && temp !== "";
  if (wish !== true) {
    const path = resolve(wish);
    return { path, isTemporary: hasTemp && isInside(temp, path) };
  }
  if (hasTemp) return { path: join(resolve(temp), `scm-auth-${nameOf(request)}.json`), isTemporary: true };
  const hint = "Give a path in a folder that only this job's user can write.";
  throw configError([{ field: "authFile", reason: "can't be true here: the runner set no RUNNER_TEMP", hint }]);
}

/** Twelve hexadecimal digits that tell one identity from another. */
function nameOf({ tokenUrl, clientId, scope }: AuthRequest): string {
  const identity = JSON.stringify([tokenUrl.href, clientId, scope]);
  return createHash("sha256").update(identity).digest("hex").slice(0, 12);
}

function isInside(folder: string, path: string): boolean {
  const way = relative(resolve(folder), path);
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
}

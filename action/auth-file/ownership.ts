import { createHash } from "node:crypto";
import { parseAuthFile, type AuthFileEntry } from "../../shared/handoff/auth-file-format.ts";

/**
 * Tells which step wrote a file, without a secret: a digest that may stand in the runner's state. Two files with one
 * digest hold one job's secret for one identity.
 */
export const ownershipOf = ({
  clientId,
  scope,
  clientSecret,
}: Pick<AuthFileEntry, "clientId" | "scope" | "clientSecret">): string =>
  createHash("sha256")
    .update(JSON.stringify([clientId, scope, clientSecret]))
    .digest("hex");

/** What a text says that is the auth file of one step; undefined when it is any other. */
export function ownEntry(text: string, ownership: string): AuthFileEntry | undefined {
  const entry = parseAuthFile(text);
  return entry !== undefined && ownershipOf(entry) === ownership ? entry : undefined;
}

import { glob, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { canBeCanary } from "./canaries.ts";

/** What looks like a secret, wherever it stands: a random UUID, as SCM makes them. */
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/g;
/** What stands where a secret stands. */
const NAMED = /(?:secret|password|passphrase)\w*["']?\]?\s*[:=]\s*(["'`])(?<value>(?:(?!\1)[^\\\n$]){8,}?)\1/gi;
/** By which Pulumi knows a value that is secret or unknown: the same for all the world. */
const MARKS: readonly string[] = ["1b47061264138c4ac30d75fd1eb44270", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"];
/** Words alone stand in innocent text, too, and an address is a client's id. */
const isTelling = (value: string): boolean =>
  /\d/.test(value) && !value.includes("@") && !MARKS.includes(value) && canBeCanary(value);

/** What stands in the environment of who builds and packs: nothing of it gets into what is built. */
export const BUILDERS_SECRETS = {
  SCM_CLIENT_SECRET: "3b9a6c1e-0f4d-4e2b-8a57-d1c09be6f324",
  NODE_AUTH_TOKEN: "npm_5Kc0w1vGQ2mXr8ZtYb6NfLs3",
} as const;

/** Every secret that the sources of tests and scripts spell out, by the files themselves: no list can lag behind. */
export async function spelledSecrets(): Promise<readonly string[]> {
  const found = new Set<string>();
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  for await (const path of glob("{test,scripts}/**/*.{ts,cjs,mjs,py,json}", { cwd })) {
    const source = await readFile(`${cwd}/${path}`, "utf8");
    for (const [uuid] of source.matchAll(UUID)) found.add(uuid);
    for (const { groups } of source.matchAll(NAMED)) found.add(groups?.["value"] ?? "");
  }
  return [...found, ...Object.values(BUILDERS_SECRETS)].filter(isTelling);
}

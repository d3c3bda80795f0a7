import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { drawStart } from "./start-picture.ts";

/** `npm run picture`: runs what `npm start` runs, and draws docs/npm-start.svg from what it printed. */

const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL("start.ts", import.meta.url))]);
await writeFile(new URL("../docs/npm-start.svg", import.meta.url), drawStart(stdout));

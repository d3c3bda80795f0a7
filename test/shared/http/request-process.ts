/**
 * Sends a request to each URL at the same time. Prints their statuses or error codes, and how long the process then took
 * to exit, in milliseconds.
 *
 * Usage: node request-process.ts <CA file or -> <timeout in milliseconds> <url> ...
 */
import { readFileSync } from "node:fs";
import { AuthError } from "../../../shared/errors.ts";
import { createSecureContext } from "../../../shared/http/tls.ts";
import { send } from "./attempts.ts";

const [file = "-", timeoutMs, ...urls] = process.argv.slice(2);
const secureContext = createSecureContext(file === "-" ? undefined : readFileSync(file, "utf8"));

async function getOutcome(url: string): Promise<string> {
  try {
    return String((await send(url, { timeoutMs: Number(timeoutMs), secureContext })).status);
  } catch (error) {
    return AuthError.isAuthError(error) ? error.code : String(error);
  }
}

console.log((await Promise.all(urls.map(getOutcome))).join(" "));
const end = performance.now();
process.on("exit", () => {
  console.log(performance.now() - end);
});

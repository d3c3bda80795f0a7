/**
 * Asks each URL for an answer as a sign-in would, trusting what the environment and the CA in the file given say.
 * Prints for each the status, or the code of the failure, separated by spaces. Also runs bundled, on old nodes.
 *
 * Usage: node trust-probe.ts <file of the CA, or -> <url> ...
 */
import { readFileSync } from "node:fs";

import { systemClock } from "../../../shared/clock.ts";
import { send } from "../../../shared/http/send.ts";
import { trust } from "../../../shared/http/tls.ts";
import { AuthError } from "../../../shared/report/errors.ts";

const [, , file = "-", ...urls] = process.argv;
const secureContext = trust(file === "-" ? undefined : readFileSync(file, "utf8"));

async function outcomeOf(url: string): Promise<string> {
  const limits = {
    timeLimit: 5000,
    signal: new AbortController().signal,
    secureContext,
    userAgent: "test/1",
    clock: systemClock,
  };
  try {
    return String((await send({ method: "GET", url: new URL(url), headers: {} }, limits)).status);
  } catch (error) {
    return AuthError.isAuthError(error) ? error.code : String(error);
  }
}

void Promise.all(urls.map(outcomeOf)).then((outcomes) => {
  console.log(outcomes.join(" "));
});

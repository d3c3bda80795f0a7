/**
 * Sends a request to each URL given, all at once, and then does nothing more: the process must end by itself. Prints what became
 * of the requests and how long the process lived on, as JSON.
 *
 * Usage: node send-and-end.ts <time limit in milliseconds> <url> ...
 */
import { systemClock } from "../../../shared/clock.ts";
import { send } from "../../../shared/http/send.ts";
import { AuthError } from "../../../shared/report/errors.ts";

const [timeLimit, ...urls] = process.argv.slice(2);

async function outcomeOf(url: string): Promise<string> {
  const limits = {
    timeLimit: Number(timeLimit),
    signal: new AbortController().signal,
    secureContext: undefined,
    userAgent: "test/1",
    clock: systemClock,
  };
  try {
    return String((await send({ method: "GET", url: new URL(url), headers: {} }, limits)).status);
  } catch (error) {
    return AuthError.isAuthError(error) ? error.code : String(error);
  }
}

const outcomes = await Promise.all(urls.map(outcomeOf));
const end = performance.now();
process.on("exit", () => {
  console.log(JSON.stringify({ outcomes, held: performance.now() - end }));
});

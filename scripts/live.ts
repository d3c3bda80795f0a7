import { parseArgs } from "node:util";
import { Diagnosis } from "../action/check/diagnosis.ts";
import { reach } from "../action/check/reach.ts";
import { signIn, type Seen } from "../action/check/sign-in.ts";
import { toLines } from "../action/check/summary.ts";
import { systemClock } from "../shared/clock.ts";
import { proxyPasswords } from "../shared/http/proxy.ts";
import { trust } from "../shared/http/tls.ts";
import { AuthError, AuthRequest, OAuth2Client } from "../shared/index.ts";
import { FIELD_NAMES } from "../shared/report/fields.ts";
import { Redactor } from "../shared/report/redactor.ts";
import { userAgent, version } from "../shared/version.ts";
import { evidenceOf, judge, unknownClaims, type Evidence } from "./live-assumptions.ts";
import { makePage } from "./page.ts";

/**
 * `npm run live`: signs in to the real service with the credentials of the environment (`SCM_CLIENT_ID`,
 * `SCM_CLIENT_SECRET` and so on), proves the token, reads one list from the API, and tells what of this project's
 * assumptions held. It changes nothing, and prints no secret and no token. Two token requests, one after the other: how
 * many the service takes at once is not tried.
 *
 * `-- --api-url <origin>` and `-- --list <path>` ask another API, or for another list.
 */

const IN_CI = "SCM_LIVE_IN_CI";
const LIST = "/config/objects/v1/tags?folder=All&limit=1";
const TIMEOUT = 60;

const { values: flags } = parseArgs({
  options: {
    "in-ci": { type: "boolean", default: false },
    "api-url": { type: "string" },
    list: { type: "string", default: LIST },
  },
});

const page = makePage(process.stdout);
const redactor = new Redactor(proxyPasswords(process.env));
const { quote } = redactor;

/** A pipeline may have credentials that nobody meant for this. */
function refusal(): string | undefined {
  const ci = process.env["CI"] ?? "";
  const isAllowed = flags["in-ci"] && process.env[IN_CI] === "true";
  if (ci === "" || ci === "false" || isAllowed) return undefined;
  return `This is CI (the variable CI is set), and nothing was sent. To mean it, say so twice: the flag --in-ci, and ${IN_CI}=true.`;
}

/** The one list, by the library as its users call it: a client of its own, with a token of its own. */
async function readList(request: AuthRequest): Promise<unknown> {
  const apiUrl = flags["api-url"];
  const client = await OAuth2Client.connect(request, { timeout: TIMEOUT, ...(apiUrl !== undefined && { apiUrl }) });
  redactor.add(await client.accessToken());
  return client.session.request("GET", flags.list);
}

async function gather(request: AuthRequest): Promise<Evidence> {
  const clock = systemClock;
  const diagnosis = new Diagnosis(clock);
  const seen: Seen = {};
  const secureContext = trust(request.ca);
  const { signal } = new AbortController();
  let list: unknown;
  try {
    const deadline = clock.monotonic() + TIMEOUT * 1000;
    await reach(request.tokenUrl, diagnosis, { secureContext, deadline, signal, clock });
    await signIn(request, diagnosis, seen, {
      verify: true,
      policy: { maxRetries: 1, backoff: 1, spreadOverload: false },
      timeout: TIMEOUT,
      userAgent,
      redactor,
      secureContext,
      signal,
      clock,
      onToken: (token) => void redactor.add(token),
    });
    list = await readList(request);
  } catch (error) {
    // What failed in a step is told with the steps.
    if (diagnosis.failures.length === 0) {
      page.step("The list could not be read");
      page.say(quote(error instanceof Error ? error.message : "for a reason that is no error", 600));
      if (AuthError.isAuthError(error)) page.say(error.hint);
    }
  }
  page.step("The way, the token, the proof");
  page.show(toLines({ diagnosis, facts: [], names: FIELD_NAMES, quote }));
  return evidenceOf({ request, diagnosis, seen, list });
}

/** @returns whether all held */
async function run(): Promise<boolean> {
  const request = AuthRequest.fromEnv();
  redactor.add(request.clientSecret);
  page.title(`scm-auth ${version} against ${request.tokenUrl.host}, reading alone.`);
  for (const notice of request.notices) page.say(notice);
  const evidence = await gather(request);
  page.step("What this project takes for granted");
  const findings = judge(evidence);
  page.show(findings.map(({ what, held, saw }) => `${held ? "held" : "DID NOT HOLD"}: ${what} (${quote(saw, 200)})`));
  const others = unknownClaims(evidence).map((name) => quote(name, 60));
  if (others.length > 0) page.say(`Claims beside those: ${others.join(", ")}.`);
  const failed = findings.filter(({ held }) => !held).length;
  page.say(
    failed === 0 ? "All held." : `${failed} of ${findings.length} did not hold: please report it with this page.`,
  );
  return failed === 0;
}

// Whatever happens on the way, only a run in which all held is a success.
process.exitCode = 1;
const refused = refusal();
if (refused !== undefined) page.say(refused);
else {
  try {
    if (await run()) process.exitCode = 0;
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    page.say(quote(error.message, 600));
    for (const { field, hint } of error.problems) page.say(`${field}: ${hint}`);
  }
}

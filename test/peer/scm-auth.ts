import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { systemClock } from "../../shared/clock.ts";
import { ApiError, AuthError, AuthRequest, OAuth2Client, type AuthEvent } from "../../shared/index.ts";
import type { Act, Job, Report } from "./job.ts";

/** scm-auth's side of `npm run peer`: a process that does one job from stdin and reports what it saw. */

const job = JSON.parse(await text(process.stdin)) as Job;
const tokens: string[] = [];
let ahead = 0;
const clock = {
  ...systemClock,
  wall: () => systemClock.wall() + ahead,
  monotonic: () => systemClock.monotonic() + ahead,
};

/** A client that is not signed in; `onEvent` hears of what it does. */
const idle = (onEvent?: (event: AuthEvent) => void): OAuth2Client =>
  new OAuth2Client(job.fields, { clock, apiUrl: job.apiUrl, onEvent });

async function signedIn(onEvent?: (event: AuthEvent) => void): Promise<OAuth2Client> {
  const client = idle(onEvent);
  await client.refreshToken();
  tokens.push(await client.accessToken());
  await delay(job.wait * 1000);
  ahead = job.ahead * 1000;
  return client;
}

function failure(error: unknown): string {
  if (AuthError.isAuthError(error)) return `${error.name} (\`${error.kind}\`, \`${error.code}\`): "${error.message}"`;
  if (ApiError.isApiError(error)) return `ApiError: "${error.message}"`;
  return `unexpected: ${String(error)}`;
}

/** `name`, and what came of it. */
const outcome = (name: string, work: () => unknown): Promise<string> =>
  new Promise((resolve) => {
    resolve(work());
  }).then(
    (value) => `${name}: ${String(value)}`,
    (error: unknown) => `${name}: ${failure(error)}`,
  );

const TAGS = "/config/objects/v1/tags";
const TEN = Array.from({ length: 10 });

const acts: Readonly<Record<Act, () => Promise<readonly string[]>>> = {
  build: () => Promise.resolve((AuthRequest.parse(job.fields), ["a request was made"])),
  signIn: async () => (await signedIn(), ["signed in"]),
  branch: async () => {
    try {
      await signedIn();
      return ["signed in"];
    } catch (error) {
      const said = String(error);
      return [
        `branch taken: ${said.includes("Network error") ? "network" : said.includes("HTTP error") ? "HTTP" : "other"}`,
      ];
    }
  },
  inspect: async () => {
    const client = await signedIn();
    return [
      "signed in",
      await outcome("`isExpired`", () => client.isExpired),
      await outcome("`decodeToken()`", async () => (await client.decodeToken(), "claims")),
    ];
  },
  renew: async () => {
    const client = await signedIn();
    const before = client.tokenExpiresSoon;
    if (before) await client.refreshToken();
    return [`\`tokenExpiresSoon\`: ${String(before)}`, before ? "refreshed" : "nothing to do"];
  },
  coldCallers: async () => {
    const client = idle();
    const given = await Promise.all(TEN.map(() => client.accessToken()));
    return [`${given.length} callers have a token, ${new Set(given).size} different`];
  },
  lateCallers: async () => {
    const client = await signedIn();
    const query = { folder: "All" };
    const calls = await Promise.allSettled(TEN.map(() => client.session.request("GET", TAGS, { query })));
    return [`${calls.filter(({ status }) => status === "fulfilled").length} of ${calls.length} calls answered`];
  },
  call: async () => {
    const client = await signedIn();
    return [
      await outcome(
        "the call",
        async () => (await client.session.request("GET", TAGS, { query: { folder: "All" } }), "answered"),
      ),
    ];
  },
  list: async () => {
    const client = await signedIn();
    const names: string[] = [];
    for await (const { name } of client.session.list<{ name: string }>(TAGS, { query: { folder: "All", limit: 2 } }))
      names.push(name);
    return [`items: ${names.length}`];
  },
  debug: async () => {
    const events: AuthEvent[] = [];
    await signedIn((event) => events.push(event));
    const told = inspect(events, { depth: Infinity });
    return [`${events.length} events`, ...leaks("they hold", told)];
  },
  print: async () => {
    const client = await signedIn();
    const { authRequest, session } = client;
    const hidden = { depth: Infinity, showHidden: true } as const;
    const prints = [(one: object) => inspect(one, hidden), JSON.stringify, String];
    return Object.entries({ client, authRequest, session }).flatMap(([name, object]) =>
      leaks(`\`inspect(${name})\` holds`, prints.map((print) => print(object)).join("\n")),
    );
  },
};

/** Whether secret and token stand in a text. */
function leaks(where: string, text: string): readonly string[] {
  const { clientSecret = "" } = job.fields;
  const found = Object.entries({ "the secret": [clientSecret], "the token": tokens })
    .filter(([, secrets]) => secrets.some((secret) => text.includes(secret)))
    .map(([what]) => what);
  return [`${where} ${found.length === 0 ? "neither secret nor token" : found.join(" and ")}`];
}

const began = performance.now();
const seen = await Promise.resolve()
  .then(acts[job.act])
  .catch((error: unknown) => [failure(error)]);
const report: Report = { seen, tokens, took: (performance.now() - began) / 1000 };
process.stdout.write(`${JSON.stringify(report)}\n`);

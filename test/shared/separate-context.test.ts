import assert from "node:assert/strict";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import type { WriteStream } from "node:tty";
import { startRefresher } from "../../action/refresher/run.ts";
import { startServing } from "../../cli/refreshed-file.ts";
import { Terminal } from "../../cli/terminal.ts";
import { ServiceAccounts } from "../../provider/service-accounts.ts";
import type { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import { Redactor } from "../../shared/redact.ts";
import { createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { createClient, startScm } from "../support/client-fixtures.ts";
import { waitUntil } from "../support/poll.ts";
import type { ScmServer } from "../support/scm-server.ts";
import { createTempDir } from "../support/temp-dir.ts";

/** Processes that renew tokens for days must not keep them all in one redactor. */

interface Host {
  readonly request: AuthRequest;
  readonly server: ScmServer;
  /** The path of an auth file. */
  readonly path: string;
}

/** Requests tokens until the server has issued three, or starts what does so. */
type Start = (host: Host, t: TestContext) => Promise<unknown>;

const limits = { deadline: systemClock.monotonic() + 60_000 };

const HOSTS: Readonly<Record<string, Start>> = {
  "the library": async ({ request }) => {
    const client = createClient(request);
    for (let count = 0; count < 3; count++) await client.refreshToken();
  },
  "a Pulumi resource": async ({ request }) => {
    const { tokens } = new ServiceAccounts().get({
      authRequest: request,
      timeout: 30,
      maxRetries: 0,
      minTtl: undefined,
    });
    for (let count = 0; count < 3; count++) await tokens.refresh();
  },
  "scm-auth run": async ({ request, path }, t) => {
    const context = createSignInContext(request, {});
    const output = new PassThrough() as unknown as WriteStream;
    const terminal = new Terminal(output, output);
    const serving = await startServing(context, await requestToken(context, limits), { path, limits, terminal });
    t.after(serving.end);
  },
  "the refresher": async ({ request, path }, t) => {
    const token = await requestToken(createSignInContext(request, {}), limits);
    const { value, scope, lifetime, expiresAt, signingKey } = token;
    const { clientId, clientSecret, tokenUrl, ca } = request;
    const served = await startRefresher({
      ...{ authRequest: { clientId, clientSecret, scope, tokenUrl: tokenUrl.href, ca }, verify: true, path },
      ...{
        token: { value, scope, lifetime, signingKey, expiresAt: expiresAt?.getTime(), remaining: 1000 },
        jobSecret: "a".repeat(43),
        jobId: "job",
      },
    });
    t.after(served.stop);
  },
};

for (const [name, start] of Object.entries(HOSTS))
  test(`${name} uses a new redactor for each token`, async (t) => {
    const { mock } = t.mock.method(Redactor.prototype, "add");
    const { server, request } = await startScm(t, { ttl: 3 });
    await start({ request, server, path: join(await createTempDir(t), "auth.json") }, t);
    await waitUntil("three tokens have been issued", () => server.issued.length >= 3, 60_000);
    const known = new Map<unknown, Set<string>>();
    for (const call of mock.calls) {
      const [secret] = call.arguments;
      if (server.issued.includes(secret)) known.set(call.this, (known.get(call.this) ?? new Set()).add(secret));
    }
    const counts = [...known.values()].map(({ size }) => size);
    assert.ok(counts.length >= 2);
    assert.equal(Math.max(...counts), 1);
  });

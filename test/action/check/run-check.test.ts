import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { generate } from "selfsigned";

import { runCheck } from "../../../action/check/run-check.ts";
import { Runner } from "../../../action/runner.ts";
import { AuthRequest } from "../../../shared/index.ts";
import { version } from "../../../shared/version.ts";
import { check } from "../../support/check-stage.ts";
import {
  CLIENT_ID,
  failureOf,
  minted,
  scm,
  scripted,
  SECRET,
  signer,
  tokenRequests,
  TSG_ID,
} from "../../support/client-stage.ts";
import { startConnectProxy } from "../../support/connect-proxy.ts";
import * as fc from "../../support/fuzzing.ts";
import { KEYS_PATH, TOKEN_PATH } from "../../support/scm-provider.ts";
import { startScriptedServer } from "../../support/scripted-server.ts";
import { foreignText } from "../../support/texts.ts";
import { honestClaims } from "../../support/tokens.ts";
import { setVariables } from "../../support/variables.ts";

const env = {
  RUNNER_OS: "Linux",
  RUNNER_ARCH: "X64",
  RUNNER_ENVIRONMENT: "github-hosted",
  ImageOS: "ubuntu24",
  ImageVersion: "20261101.1.0",
};

test("a sign-in that works: each step with its time and what it found, and what is known of clock, token and versions", async (t) => {
  const { server, request } = await scm(t);
  const { summary, log, error } = await check(t, request, { env });
  assert.equal(error, undefined);
  assert.equal(summary.heading, "scm-auth check: the sign-in works");
  const [kid = ""] = signedBy(server.issued);
  const expected: Readonly<Record<string, readonly [result: string, found: RegExp]>> = {
    DNS: ["not used", /^127\.0\.0\.1 is an address$/],
    TCP: ["ok", new RegExp(`^port ${server.port} over IPv4$`)],
    proxy: ["not used", /^no variable names one for 127\.0\.0\.1$/],
    TLS: ["ok", /^TLSv1\.3, certificate issued by scm-auth test authority \w+, good until \d{4}-\d\d-\d\d$/],
    token: ["ok", /^status 200, a JWT$/],
    keys: ["ok", /^status 200, 1 RSA key$/],
    verify: ["ok", /^the signature \(RS256\) and all claims are right$/],
    Clock: ["", /^this machine and the server agree within 2 s$/],
    "Token lifetime": ["", /^14 min 59 s by the answer \(expires_in\), 15 min by the token \(exp less iat\)$/],
    "Tenant asked": ["", /^1234567890$/],
    "Tenant granted": ["", /^1234567890$/],
    "Names of claims": ["", /^jti, sub, iss, aud, .*\bcts\b/],
    "Key id": ["", new RegExp(`^${kid}$`)],
    "Key URL": ["", new RegExp(`^${server.origin}${KEYS_PATH}$`)],
    "Token URL": ["", new RegExp(`^${server.origin}${TOKEN_PATH}$`)],
    Versions: [
      "",
      new RegExp(
        `^scm-auth ${version}, node ${process.version} on .*, runner Linux X64 github-hosted, image ubuntu24 2026`,
      ),
    ],
  };
  assert.deepEqual([...summary.rows.keys()], Object.keys(expected));
  for (const [name, [result, found]] of Object.entries(expected)) {
    const row = summary.rows.get(name);
    assert.equal(row?.result, result, name);
    assert.match(row.found, found, name);
    assert.match(row.ms, result === "ok" ? /^\d+$/ : /^$/, name);
    assert.match(row.bar, result === "ok" ? /^░*█+░*$/ : /^$/, name);
    assert.ok(log.includes(`${name}: `), name);
  }
  assert.match(log, /Check: the sign-in works\./);
  assert.equal(tokenRequests(server), 1);
});

const signedBy = (tokens: readonly string[]): readonly string[] =>
  tokens.map((token) => {
    const header = JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as { kid: string };
    return header.kid;
  });

test("the steps stand on one time line: token and keys side by side, verify behind both", async (t) => {
  const slow = { ...minted(), delayMs: 120 };
  const keys = { body: { keys: [signer.jwk] }, delayMs: 120 };
  const { request } = await scripted(t, slow, { plain: true, keys });
  const { summary } = await check(t, request);
  const places = (name: string): readonly [from: number, to: number] => {
    const { bar = "" } = summary.rows.get(name) ?? {};
    return [bar.indexOf("█"), bar.lastIndexOf("█")];
  };
  const [[tokenFrom, tokenTo], [keysFrom, keysTo], [verifyFrom]] = [places("token"), places("keys"), places("verify")];
  assert.ok(keysFrom < tokenTo && tokenFrom < keysTo, "side by side");
  assert.ok(verifyFrom >= Math.max(tokenTo, keysTo) - 1, "behind");
  assert.ok(Number(summary.rows.get("token")?.ms) >= 119 && Number(summary.rows.get("keys")?.ms) >= 119);
});

test("a name is looked up and its addresses are counted, for each family", async (t) => {
  const { request } = await scripted(t, minted(), { plain: true });
  const tokenUrl = request.tokenUrl.href.replace("127.0.0.1", "localhost");
  const { summary, error } = await check(
    t,
    AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl }),
    {
      lookup: (_host, done) => {
        done(null, [
          { address: "127.0.0.1", family: 4 },
          { address: "127.0.0.2", family: 4 },
          { address: "::1", family: 6 },
        ]);
      },
    },
  );
  assert.equal(error, undefined);
  assert.equal(summary.rows.get("DNS")?.found, "localhost has 2 IPv4 and 1 IPv6 addresses");
  assert.equal(summary.rows.get("TLS")?.found, "plain http, which stays on this machine");
});

test("through a proxy: its own name and port, the tunnel, then TLS to the server; its user and password nowhere", async (t) => {
  const { server } = await scm(t);
  const password = "sesame-9f27c1aa";
  const proxy = await startConnectProxy({ to: server.port, credentials: `bob:${password}` });
  t.after(proxy.close);
  const https_proxy = `http://bob:${password}@localhost:${proxy.port}`;
  setVariables(t, { https_proxy, no_proxy: undefined, NO_PROXY: undefined });
  const tokenUrl = `https://auth.scm.test${TOKEN_PATH}`;
  const { clientId, clientSecret, ca } = server;
  const { summary, markdown, log, error } = await check(t, AuthRequest.parse({ clientId, clientSecret, tokenUrl, ca }));
  assert.equal(error, undefined);
  const found = (row: string): string => summary.rows.get(row)?.found ?? "";
  assert.match(found("DNS"), /^localhost has \d IPv4/);
  assert.match(found("TCP"), /^port \d+ of the proxy over IPv4$/);
  assert.equal(found("proxy"), `localhost:${proxy.port} opens a tunnel to auth.scm.test:443`);
  assert.match(found("TLS"), /^TLSv1\.3/);
  for (const text of [markdown, log]) assert.doesNotMatch(text, /bob|sesame/);
  // The way, the token and the keys.
  assert.deepEqual(new Set(proxy.connects.map(({ host }) => host)), new Set(["auth.scm.test"]));
  assert.equal(proxy.connects.length, 3);
});

test("with verification off no keys are asked for, and the summary says that nothing is proved", async (t) => {
  const { request } = await scripted(t, minted({ access_token: "an-opaque-token-of-some-length" }), { plain: true });
  const options = { verify: false, policy: { maxRetries: 0, backoff: 0, spreadOverload: false }, timeout: 5 };
  const { summary, error } = await check(t, request, { options });
  assert.equal(error, undefined);
  assert.deepEqual(summary.rows.get("keys"), { result: "not used", ms: "", bar: "", found: "verification is off" });
  assert.match(summary.rows.get("verify")?.found ?? "", /^NOT proved/);
});

test("docs/check.md explains every row, and no other", async (t) => {
  const page = await readFile(new URL("../../../docs/check.md", import.meta.url), "utf8");
  const explained = [...page.matchAll(/^\| ([A-Za-z ()]+?) +\|/gm)].map(([, row = ""]) => row);
  const { request } = await scripted(t, { status: 429 }, { plain: true });
  const { summary } = await check(t, request);
  const shown = [...summary.rows.keys()].map((row) => row.replace("(token)", "(step)"));
  assert.deepEqual(
    explained.filter((row) => row !== "row"),
    shown,
  );
});

test("one check after another leaves no trace: each is as good as the first", async (t) => {
  const { server, request } = await scm(t);
  for (let n = 0; n < 15; n++) {
    const { error, log } = await check(t, request);
    assert.equal(error, undefined);
    assert.doesNotMatch(log, /Try 1/);
  }
  assert.equal(tokenRequests(server), 15);
});

test("whatever token, keys and errors say, the summary is one table with nothing foreign at work in it", async (t) => {
  let said = { kid: "", claim: "", description: "", scope: "", refuse: false };
  const server = await startScriptedServer({
    token: () => {
      const claims = { ...honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }), [said.claim]: said.claim };
      return said.refuse
        ? { status: 400, body: { error: said.description || "x", error_description: said.description } }
        : minted({
            access_token: signer.sign({ ...claims, scope: [said.scope, `tsg_id:${TSG_ID}`] }, { kid: said.kid }),
          });
    },
    keys: () => ({ body: { keys: [{ ...signer.jwk, kid: said.kid }] } }),
  });
  t.after(server.close);
  const { tokenUrl } = server;
  const request = AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl });
  const text = fc.oneof(
    foreignText,
    foreignText.map((foreign) => `|${foreign}\`| <img src=x> @octocat #1 [x](https://evil.example)`),
  );
  const saying = fc.record({ kid: text, claim: text, description: text, scope: text, refuse: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(saying, async (now) => {
      said = now;
      const { summary } = await check(t, request);
      assert.match(summary.heading, /^scm-auth check: (the sign-in works|failed at (token|verify))$/);
    }),
    { numRuns: 60 },
  );
});

test("a server that echoes the secret, whole or in the names of claims, gives nothing away", async (t) => {
  // The stage looks for the secret in all that is told.
  const claims = {
    ...honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }),
    [SECRET]: 1,
    [Buffer.from(SECRET).toString("hex")]: 1,
    // Cut off where a name gets too long, so that a part of it would be left.
    ["x".repeat(290) + SECRET]: 1,
  };
  const honest = await scripted(t, minted({ access_token: signer.sign(claims, { kid: SECRET }) }), {
    plain: true,
    keys: { body: { keys: [{ ...signer.jwk, kid: SECRET }] } },
  });
  const echoed = await check(t, honest.request);
  assert.equal(echoed.error, undefined);
  for (const text of [echoed.markdown, echoed.log]) assert.ok(!text.includes(SECRET.slice(0, 6)));
  const rude = await scripted(
    t,
    { status: 401, body: { error: SECRET, error_description: `"${SECRET}"` } },
    { plain: true },
  );
  const { markdown } = await check(t, rude.request);
  assert.match(markdown, /\*\*\*/);
});

test("a certificate whose issuer is a text of another mind stays in its cell", async (t) => {
  const issuer = "`|<img src=x>|@octocat ::error::[x](https://evil.example)";
  const { cert, private: key } = await generate([{ name: "commonName", value: issuer }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
  });
  const { request } = await scm(t, { tls: { ca: cert, cert, key } });
  const stranger = AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl: request.tokenUrl.href });
  const { summary } = await check(t, stranger);
  assert.match(summary.rows.get("TLS")?.found ?? "", /issued by ´¦<img src=x>¦@octocat : :error: :\[x\]/);
});

test("a check that is called off ends at once as aborted, and writes no summary", async (t) => {
  const { request } = await scripted(t, { hang: true }, { plain: true });
  const stop = new AbortController();
  setTimeout(() => {
    stop.abort();
  }, 50);
  const summaries: unknown[] = [];
  class Deaf extends Runner {
    override say(): void {
      // This process's stdout is the test's own.
    }
    override summary(lines: readonly string[]): void {
      summaries.push(lines);
    }
  }
  const options = { verify: true, policy: { maxRetries: 0, backoff: 0, spreadOverload: false }, timeout: 20 };
  const error = await failureOf(runCheck({ runner: new Deaf(), request, options, signal: stop.signal, env: {} }));
  assert.deepEqual([error.code, summaries], ["aborted", []]);
});

test("without a place for the summary the log tells all, and the check is as good", async (t) => {
  const { request } = await scripted(t, minted(), { plain: true });
  const lines: string[] = [];
  class Told extends Runner {
    override say(text: string): void {
      lines.push(text);
    }
    override debug(): void {
      // As above.
    }
    override warning(text: string): void {
      lines.push(`warning: ${text}`);
    }
    override mask(): void {
      // As above.
    }
  }
  setVariables(t, { GITHUB_STEP_SUMMARY: undefined });
  const options = { verify: true, policy: { maxRetries: 0, backoff: 0, spreadOverload: false }, timeout: 5 };
  await runCheck({ runner: new Told(), request, options, signal: new AbortController().signal, env: {} });
  const text = lines.join("\n");
  assert.match(text, /^warning: .*summary could not be written.*\(the sign-in works\) stands in the log\.$/m);
  assert.match(text, /verify: ok, \d+ ms: the signature/);
});

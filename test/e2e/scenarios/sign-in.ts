import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { ActionRun } from "../../support/run-action.ts";
import type { ScriptedRequest } from "../../support/scripted-server.ts";
import {
  claims,
  CLIENT_ID,
  issueToken,
  keySet,
  otherSigner,
  SECRET,
  signer,
  tokenResponse,
  TSG_ID,
  validKeySet,
} from "../fixtures.ts";
import { succeeds, type Harness, type Scenario, type ServerOptions } from "../scenario.ts";

/** Returns a function that checks the entire form of the token request. */
const sendsForm =
  (changes: Readonly<Record<string, string>> = {}) =>
  (_run: ActionRun, { server }: Harness): void => {
    const [request] = server.requestsTo("token");
    const form = {
      grant_type: "client_credentials",
      client_id: CLIENT_ID,
      client_secret: SECRET,
      scope: `tsg_id:${TSG_ID}`,
      ...changes,
    };
    assert.deepEqual([...new URLSearchParams(request?.body)].sort(), Object.entries(form).sort());
    assert.equal(request?.headers["content-type"], "application/x-www-form-urlencoded");
    assert.equal(request.headers.authorization, undefined);
  };

const issueScope = (...scope: readonly string[]): ServerOptions => ({ token: issueToken(() => ({ scope })) });

/** Creates a server that responds only after both requests have arrived. */
function barrier(): ServerOptions {
  let arrive: (route: "token" | "jwks") => void = () => undefined;
  const both = new Promise<void>((resolve) => {
    const seen = new Set<string>();
    arrive = (route) => {
      if (seen.add(route).size === 2) resolve();
    };
  });
  return {
    token: async () => {
      arrive("token");
      await both;
      return tokenResponse(signer.sign(claims()));
    },
    jwks: async () => {
      arrive("jwks");
      await both;
      return validKeySet;
    },
  };
}

const SPECIAL_SECRET = `p&=d%20e%zz;f?g#h/i:j@k ün\\"<t>&amp;$HOME\`id\`::set-output name=x::y`;

export const signIn: readonly Scenario[] = [
  {
    name: "requests a token for tsg-id and reports the tenant, the validity, and the signature verification",
    expect: succeeds({
      check: sendsForm(),
      log: [/^Signed in to tenant 1234567890 with a new token, valid for 14 min 5\d s \(signature verified\)\.$/m],
    }),
  },
  {
    name: "derives the tenant from the scope if tsg-id is blank",
    inputs: { "tsg-id": "", scope: "profile tsg_id:77 email" },
    server: issueScope("email", "tsg_id:77"),
    expect: succeeds({ check: sendsForm({ scope: "profile tsg_id:77 email" }) }),
  },
  {
    name: "derives the tenant from the client ID if tsg-id and scope are blank, and logs that",
    inputs: { "tsg-id": "  ", scope: " " },
    expect: succeeds({ check: sendsForm(), log: [/1234567890.*client ID/] }),
  },
  {
    name: "sends a secret with special characters unchanged",
    inputs: { "client-secret": SPECIAL_SECRET },
    expect: succeeds({ check: sendsForm({ client_secret: SPECIAL_SECRET }) }),
  },
  {
    name: "trims whitespace around the secret and logs that",
    inputs: { "client-secret": `\t${SECRET} \r\n` },
    expect: succeeds({ check: sendsForm(), log: ["Trimmed whitespace around the client secret."] }),
  },
  { name: "sends both requests at the same time", server: barrier, expect: succeeds() },
  {
    name: "sets no output before the token is verified",
    env: ({ file }) => ({ GITHUB_OUTPUT: file("outputs") }),
    files: { outputs: "" },
    server: ({ file }) => ({
      jwks: async () => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return readFileSync(file("outputs"), "utf8") === "" ? validKeySet : { status: 404 };
      },
    }),
    expect: succeeds({
      // The action writes to a file that the runner does not read.
      outputs: "none",
      check: (_run, { file, issued }) => {
        assert.ok(readFileSync(file("outputs"), "utf8").includes(issued[0] ?? "no token"));
      },
    }),
  },
  {
    name: "sets outputs that the runner passes to other jobs, except the token",
    expect: succeeds({
      check: ({ jobOutputs }) => {
        assert.deepEqual(Object.keys(jobOutputs).sort(), ["expires-at", "scope", "tsg-id"]);
      },
    }),
  },
  {
    name: "does not request the JWKS with verify: false, and reports that",
    inputs: { verify: "false" },
    expect: succeeds({ requests: { jwks: 0 }, log: ["signature not verified: verify is false"] }),
  },
  {
    name: "retries a failed token request unchanged and logs the reason and the delay",
    server: { token: [{ status: 500 }, issueToken()] },
    expect: succeeds({
      requests: { token: 2 },
      log: [/token request.*500.*Attempt 1 of 2 failed; retrying in \d(\.\d)? s\./],
      check: (_run, { server }) => {
        const [first, second] = server.requestsTo("token") as [ScriptedRequest, ScriptedRequest];
        assert.deepEqual([second.body, second.path, second.headers], [first.body, first.path, first.headers]);
      },
    }),
  },
  {
    name: "retries both requests independently",
    inputs: { "max-retries": "2" },
    server: {
      token: [{ status: 500 }, { status: 502 }, issueToken()],
      jwks: [{ status: 504 }, { status: 408 }, validKeySet],
    },
    expect: succeeds({ requests: { token: 3, jwks: 3 }, log: [/JWKS request.*Attempt 2 of 3 failed/] }),
  },
  {
    name: "requests the JWKS again when the key was rotated between the requests",
    server: { jwks: [keySet(otherSigner.jwk), validKeySet] },
    expect: succeeds({ requests: { jwks: 2 } }),
  },
  {
    name: "requests the JWKS from jwks-url",
    inputs: ({ other }) => ({ "jwks-url": other.jwksUrl }),
    server: { jwks: { status: 500 } },
    expect: succeeds({ requests: { jwks: 0, other: 1 } }),
  },
  {
    name: "logs connections and statuses with debug logging",
    debug: true,
    expect: succeeds({ log: [/##\[debug\]token request: tcp in \d+ ms/, "##[debug]JWKS request: status 200"] }),
  },
];

import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { AuthFiles, ensureAuthFileFromArgs, getTokenFromArgs } from "../../provider/auth-files.ts";
import { formatError } from "../../provider/error-message.ts";
import { ServiceAccounts } from "../../provider/service-accounts.ts";
import type { Args } from "../../provider/sign-in-args.ts";
import { PLACEHOLDER_SECRET, serializeAuthFile } from "../../shared/auth-file/format.ts";
import { getErrorPage } from "../../shared/version.ts";
import { CLIENT_ID, clientClaims, signer, startScripted, tls, TSG_ID } from "../support/client-fixtures.ts";
import type { Script } from "../support/scripted-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { createSigner } from "../support/tokens.ts";
import { setVariables } from "../support/variables.ts";

const NO_CREDENTIALS = { SCM_CLIENT_ID: undefined, SCM_CLIENT_SECRET: undefined };

/** Changes to the default setup: a valid file and a program without credentials. */
interface Change {
  readonly jwt?: string;
  /** Returns the new text of the file, or null for no file. */
  readonly edit?: (text: string) => string | null;
  readonly authUrl?: string;
  readonly mode?: number;
  readonly directoryMode?: number;
  readonly jwks?: Script;
  readonly args?: Args;
}

async function createFile(t: TestContext, change: Change = {}) {
  const {
    jwt = signer.sign(clientClaims()),
    edit = (written: string): string | null => written,
    mode = 0o600,
    directoryMode = 0o700,
    jwks,
  } = change;
  const scripts = { token: { status: 500 }, ...(jwks !== undefined && { jwks }) };
  // A plain HTTP URL on 127.0.0.1 would look like that of a local token server.
  const { server } = await startScripted(t, { ...scripts, secure: true });
  const directory = join(await createTempDir(t), "scm");
  await mkdir(directory);
  const path = join(directory, "auth.json");
  const content = {
    ...{ clientId: CLIENT_ID, clientSecret: PLACEHOLDER_SECRET, scope: `tsg_id:${TSG_ID}`, jwt },
    ...{ authUrl: change.authUrl ?? server.tokenUrl, jwtExpiresAt: Date.now() + 600_000, jwtLifetime: 900_000 },
  };
  const text = edit(serializeAuthFile(content));
  if (text !== null) {
    await writeFile(path, text);
    await chmod(path, mode);
  }
  await chmod(directory, directoryMode);
  const state = { accounts: new ServiceAccounts(), files: new AuthFiles() };
  setVariables(t, { ...NO_CREDENTIALS, SCM_TOKEN_URL: server.tokenUrl });
  const args = { maxRetries: 0, ca: tls.ca, ...change.args };
  return {
    jwt,
    path,
    server,
    ensureFile: () => ensureAuthFileFromArgs({ ...args, path }, state),
    readToken: () => getTokenFromArgs({ ...args, authFile: path }, state.accounts),
  };
}

for (const variable of [undefined, "SCM_CLIENT_ID", "SCM_CLIENT_SECRET"])
  test(`uses a file with a valid token if ${variable === undefined ? "no variable" : `only ${variable}`} is set`, async (t) => {
    const { ensureFile, readToken, jwt, server } = await createFile(t);
    if (variable !== undefined) setVariables(t, { [variable]: "a value" });
    assert.deepEqual(await ensureFile(), { authRequest: undefined, warnings: [] });
    assert.equal((await readToken()).value, jwt);
    assert.equal(server.requestsTo("token").length, 0);
  });

const now = Math.floor(Date.now() / 1000);
const otherSigner = await createSigner({ kid: signer.kid });
const expired = signer.sign({ ...clientClaims(), iat: now - 1200, nbf: now - 1200, exp: now - 300 });
const ofOtherClient = signer.sign({ ...clientClaims(), aud: "other@1.iam.panserviceaccount.com" });

/** Unusable files, with the reason in the error message and the hint. */
const UNUSABLE: readonly (readonly [name: string, change: Change, reason: RegExp, hint: RegExp])[] = [
  ["an expired token", { jwt: expired }, /expired/, /^Refresh the file/],
  ["a token that expires too soon", { args: { minTtl: 3600 } }, /it expires in 1[45] min/, /^Refresh the file/],
  ["a forged token", { jwt: otherSigner.sign(clientClaims()) }, /signature/, /token|key/],
  ["a token issued to another client", { jwt: ofOtherClient }, /aud/, /client/i],
  ["a token that cannot be verified at the moment", { jwks: { status: 503 } }, /503/, /^Run again later/],
  ["permissions that allow access by other users", { mode: 0o644 }, /accessible to other users/, /only this user/],
  ["no token", { edit: () => "{}" }, /not created by scm-auth/, /^Refresh the file/],
  ["additional fields", { edit: (text) => text.replace("{", '{"host":"api.example.com",') }, /does not write/, /./],
  ["another token URL", { authUrl: "https://auth.example.com/access_token" }, /does not write/, /./],
  ["no content", { edit: () => null }, /no such file/, /^Create the file or provide credentials/],
];
for (const [name, change, reason, hint] of UNUSABLE) {
  const skip = change.mode !== undefined && process.platform === "win32";
  test(`does not use a file with ${name}, and reports its path and the missing credentials`, { skip }, async (t) => {
    const { ensureFile, readToken, path, jwt, server } = await createFile(t, change);
    for (const [field, run] of Object.entries({ path: ensureFile, authFile: readToken })) {
      const text = await run().then(() => assert.fail("no error"), formatError);
      assertNoSecret({ text }, [jwt]);
      const [cause = "", hints = "", link, ...others] = text.split("\n");
      const start = `Configuration error: ${field} refers to an auth file with no usable token (${path}: `;
      assert.ok(cause.startsWith(start), cause);
      assert.match(cause.slice(start.length), reason);
      assert.match(
        cause,
        /\); clientId \(or SCM_CLIENT_ID\) is required; clientSecret \(or SCM_CLIENT_SECRET\) is required/,
      );
      assert.match(hints, hint);
      assert.doesNotMatch(hints, /Set it/);
      assert.deepEqual([link, others], [`See ${getErrorPage("invalid_config")}`, []]);
    }
    assert.equal(server.requestsTo("token").length, 0);
  });
}

test(
  "does not use a file in a directory that everyone can write to, and warns if only the group can",
  { skip: process.platform === "win32" },
  async (t) => {
    const { ensureFile } = await createFile(t, { directoryMode: 0o777 });
    await assert.rejects(ensureFile(), { code: "auth_file_dir_insecure" });
    const { warnings } = await (await createFile(t, { directoryMode: 0o775 })).ensureFile();
    assert.match(warnings.join(), /can be written to by its group/);
  },
);

test("also reports other invalid arguments", async (t) => {
  const { ensureFile } = await createFile(t, { args: { timeout: "long" } });
  await assert.rejects(ensureFile(), /timeout must be a number of seconds/);
});

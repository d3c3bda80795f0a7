import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { Accounts } from "../../../provider/sign-in/account.ts";
import { KNOWN, type Arguments } from "../../../provider/sign-in/arguments.ts";
import { AuthFiles } from "../../../provider/sign-in/auth-files.ts";
import { failureText } from "../../../provider/sign-in/failure-text.ts";
import { tokenWithoutSecret } from "../../../provider/sign-in/found-token.ts";
import { readyAuthFile } from "../../../provider/sign-in/ready-auth-file.ts";
import { formatAuthFile, PLACEHOLDER } from "../../../shared/handoff/auth-file-format.ts";
import { folderFor } from "../../support/bundled.ts";
import { assertNoCanary, tokenCanaries } from "../../support/canaries.ts";
import { CLIENT_ID, scripted, signer, TSG_ID } from "../../support/client-stage.ts";
import type { Script } from "../../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../../support/tokens.ts";

/** What the tests change of a file that is right, and of the world around it. */
interface Change {
  readonly jwt?: string;
  /** Stands there instead of an auth file. */
  readonly text?: string;
  readonly mode?: number;
  readonly keys?: Script;
  readonly args?: Arguments;
}

const MISSING = /clientId \(or SCM_CLIENT_ID\) is missing or blank; clientSecret \(or SCM_CLIENT_SECRET\) is missing/;
const now = Math.floor(Date.now() / 1000);
const tokenOf = (change: object = {}): string =>
  signer.sign({ ...honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }), ...change });

/** An auth file as the action writes it, and a program that has no credentials. */
async function withoutSecret(t: TestContext, { jwt = tokenOf(), text, mode, keys, args }: Change = {}) {
  const { server } = await scripted(t, { status: 500 }, { plain: true, ...(keys !== undefined && { keys }) });
  const path = join(await folderFor(t, tmpdir()), "auth.json");
  const { tokenUrl } = server;
  const scope = `tsg_id:${TSG_ID}`;
  const ends = { jwtExpiresAt: Date.now() + 600_000, jwtLifetime: 900_000 };
  const file = {
    clientId: CLIENT_ID,
    clientSecret: PLACEHOLDER,
    scope,
    authUrl: "https://auth.scm.test/token",
    jwt,
    ...ends,
  };
  await writeFile(path, text ?? formatAuthFile(file), { mode: 0o600 });
  if (mode !== undefined) await chmod(path, mode);
  const makers = { accounts: new Accounts(), files: new AuthFiles(), env: { SCM_TOKEN_URL: tokenUrl } };
  const given: Arguments = { maxRetries: 0, ...args };
  const told = (error: unknown): string => {
    const shown = failureText(error);
    assertNoCanary(tokenCanaries(jwt), { shown });
    assert.equal(shown.split("\n").length, 2);
    return shown;
  };
  const asFile = () => readyAuthFile({ ...given, path }, makers);
  const asToken = () =>
    tokenWithoutSecret("authFile", path, { ...given, authFile: path }, { ...makers, known: KNOWN.getAccessToken });
  return {
    server,
    jwt,
    asToken,
    asFile,
    /** What an AuthFile and getAccessToken tell of it: the same, but for the argument's name. */
    failure: async () => {
      const [ofFile = "", ofToken = ""] = await Promise.all(
        [asFile(), asToken()].map((work) => work.then(() => "no failure", told)),
      );
      assert.equal(ofToken.replace("authFile names", "path names"), ofFile);
      assert.equal(server.requestsTo("token").length, 0);
      return ofFile;
    },
  };
}

test("without a secret a file's token is taken that proves itself", async (t) => {
  const { asFile, asToken, jwt, server } = await withoutSecret(t);
  assert.deepEqual(await asFile(), { request: undefined, warnings: [] });
  assert.equal((await asToken()).value, jwt);
  assert.equal(server.requestsTo("token").length, 0);
});

const stranger = await makeSigner({ kid: signer.kid });
/** THE table: what is wrong with the file's token, how it is told, and the advice that is about it. */
const FAULTS: readonly (readonly [what: string, change: Change, why: RegExp, advice: RegExp])[] = [
  [
    "has ended",
    { jwt: tokenOf({ iat: now - 1200, nbf: now - 1200, exp: now - 300 }) },
    /the token ended \(exp\) 5 min( \d s)? ago/,
    /renew it/,
  ],
  ["ends too soon", { args: { minTtl: 3600 } }, /it has only 1[45] min( \d+ s)? left/, /renew it/],
  [
    "is signed by somebody else",
    { jwt: stranger.sign(honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID })) },
    /signature is not by the signing keys/,
    /signing key|token/,
  ],
  ["is for another client", { jwt: tokenOf({ aud: "other@1.iam.panserviceaccount.com" }) }, /aud/, /client/],
  ["can't be proved just now", { keys: { status: 503 } }, /request for the signing keys .*status 503/, /server/],
  ["is open to others", { mode: 0o644 }, /auth\.json is open to other users/, /this user alone/],
];
for (const [what, change, why, advice] of FAULTS) {
  const onWindows = change.mode !== undefined && process.platform === "win32";
  test(`a file whose token ${what} is told so, and that credentials are missing`, { skip: onWindows }, async (t) => {
    const { failure } = await withoutSecret(t, change);
    const [cause = "", hints = ""] = (await failure()).split("\n");
    const reason = /^Authentication error: path names an auth file whose token can't be used here \((.*?)\); clientId /;
    assert.match(reason.exec(cause)?.[1] ?? cause, why);
    assert.match(cause, MISSING);
    assert.match(hints, advice);
  });
}

test("a file that holds no token, and one that is not there, are not spoken of", async (t) => {
  for (const text of ["", "{}"]) {
    const { failure } = await withoutSecret(t, { text });
    const told = await failure();
    assert.match(told, MISSING);
    assert.doesNotMatch(told, /auth file/);
  }
});

test("other bad arguments are told, too", async (t) => {
  const { failure } = await withoutSecret(t, { args: { timeout: "long" } });
  assert.match(await failure(), /timeout is not a number of seconds/);
});

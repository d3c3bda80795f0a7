import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";

import { secretForms } from "../../shared/report/secrets.ts";
import { assertNoCanary } from "../support/canaries.ts";
import { HandOffStage, readWritten } from "../support/hand-off-stage.ts";
import type { ActionRun } from "../support/runner.ts";
import { makeRunnerMasks } from "../support/runner-masks.ts";
import { compact, honestClaims, makeSigner } from "../support/tokens.ts";

/** Files, endpoints, paths and sealed texts that somebody with bad intentions has laid out for the action. */

let stage: HandOffStage;
/** An auth file of ours with a living token, and one of another tenant. */
let honest: string;
let foreignToken: string;
let path: string;

type Fields = Record<string, unknown>;
const honestFields = (): Fields => JSON.parse(honest) as Fields;
const withFields = (fields: Fields): string => `${JSON.stringify({ ...honestFields(), ...fields }, undefined, 2)}\n`;
const signIn = (more: Readonly<Record<string, string>> = {}): Promise<ActionRun> =>
  stage.signIn({ "auth-file": path, "keep-fresh": "false", ...more });
const plant = (text: string): Promise<void> => writeFile(path, text, { mode: 0o600 });

/** What an endpoint of this very job would say, as anyone in the job can find out. */
const digestOf = (env: Readonly<Record<string, string>>): string =>
  createHash("sha256")
    .update(
      JSON.stringify(
        ["RUNNER_TRACKING_ID", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "RUNNER_NAME"].map(
          (name) => env[name] ?? "",
        ),
      ),
    )
    .digest("hex");

/** What the file must be after a step that took it over. */
async function assertRight(run: ActionRun): Promise<void> {
  const text = await readFile(path, "utf8");
  const fields = JSON.parse(text) as Fields;
  assert.deepEqual(Object.keys(fields), Object.keys(honestFields()));
  assert.equal(fields["auth_url"], stage.server.tokenUrl);
  assert.equal(fields["host"], "api.strata.paloaltonetworks.com");
  assert.equal(fields["jwt"], run.token);
  assert.ok(stage.server.issued.includes(run.token ?? ""));
  assert.notEqual(run.token, foreignToken);
  assert.ok(Date.parse(String(fields["jwt_expires_at"])) < Date.now() + 900_000);
  if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
}

/** Every command in what the step wrote is one of its own making. */
function assertOwnCommands({ stdout }: ActionRun): void {
  const control = /[\u0000-\u0008\u000b-\u001f\u007f\u0080-\u009f]/;
  for (const line of stdout.split("\n")) {
    const isOwn = /^(?!\s*::|##\[)|^::(add-mask::|debug::|(warning|notice|error) title=scm-auth::)/.test(line);
    assert.ok(isOwn && !control.test(line), JSON.stringify(line.slice(0, 200)));
  }
}

describe("What was planted", () => {
  before(async () => {
    stage = await HandOffStage.open({ tenants: ["1234567890", "2345678901"] });
    path = join(stage.job.temp, "auth.json");
    await signIn();
    honest = await readFile(path, "utf8");
    foreignToken = (await stage.signIn({ "auth-file": "", "tsg-id": "2345678901" })).token ?? "";
    assert.notEqual(foreignToken, "");
  });
  after(() => stage.close());
  afterEach(async () => {
    await stage.nextJob();
    path = join(stage.job.temp, "auth.json");
  });

  test("is made right, and its token used again, when only other fields lie", async () => {
    const nested = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    for (const text of [
      withFields({ host: "attacker.example", headers: { authorization: "x" }, skip_verify_certificate: true }),
      withFields({ logging: "body", protocol: "http", agent: "::add-mask::a" }),
      withFields({ jwt_expires_at: "2999-01-01T00:00:00Z" }),
      withFields({ jwt_expires_at: "1970-01-01T00:00:00Z", jwt_lifetime: 0 }),
      withFields({ auth_url: "https://attacker.example/token" }),
      honest.replace("{", '{"__proto__":{"jwt":"x"},"constructor":{"prototype":1},"toString":1,'),
      honest.replace("{", '{"jwt":"another","client_secret":"a real secret of somebody",'),
      honest.replace("{", `{"nested":${nested},`),
      honest.replaceAll("\n", "\r\n"),
      ` \t${honest} \n`,
    ]) {
      await plant(text);
      const issued = stage.server.issued.length;
      const run = await signIn();
      assert.equal(run.exitCode, 0, run.log);
      assert.equal(stage.server.issued.length, issued);
      await assertRight(run);
      assertOwnCommands(run);
    }
  });

  test("is not believed when the token is another's, ended, forged or none", async () => {
    const signer = await makeSigner();
    const claims = honestClaims({ clientId: stage.server.clientId, tsgId: stage.server.tsgId });
    const [header = "", payload = "", signature = ""] = String(honestFields()["jwt"]).split(".");
    const lasting = Buffer.from(JSON.stringify({ ...claims, exp: 9_999_999_999 })).toString("base64url");
    for (const jwt of [
      foreignToken,
      signer.sign(claims),
      compact({ alg: "none", typ: "JWT" }, claims, () => ""),
      compact({ alg: "HS256", typ: "JWT", kid: "../../etc/passwd" }, claims, () => "sig"),
      `${header}.${lasting}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${signature}.${signature}.x`,
      "opaque-token-of-somebody",
      "token",
      "\n::error::planted\n::add-mask::e",
      "x".repeat(60_000),
      "\u0000\u001b[31m\u202e漢",
    ]) {
      await plant(withFields({ jwt }));
      const run = await signIn();
      assert.equal(run.exitCode, 0, run.log);
      assert.notEqual(run.token, jwt);
      await assertRight(run);
      assertOwnCommands(run);
      assert.ok(!run.masks.includes("token") && !run.masks.includes("e"), "a planted word would black out the log");
    }
  });

  test("is left as it is when it is no auth file of ours, and nobody signs in for it", async () => {
    for (const text of [
      `\ufeff${honest}`,
      honest.slice(0, -3),
      withFields({ client_secret: "a real secret of somebody" }),
      withFields({ client_secret: "" }),
      withFields({
        client_secret: "x".repeat(43),
        auth_url: "http://127.0.0.1:80@attacker.example/am/oauth2/access_token",
      }),
      withFields({ client_secret: "x".repeat(43), auth_url: "http://localhost:8080/am/oauth2/access_token" }),
      withFields({ client_secret: "x".repeat(43), auth_url: "http://127.0.0.1:99999/am/oauth2/access_token" }),
      withFields({ client_id: 7 }),
      withFields({ jwt: { toString: "x" } }),
      withFields({ jwt_lifetime: 1e308 }),
      withFields({ jwt_lifetime: "899" }),
      withFields({ jwt_expires_at: 1_700_000_000 }),
      withFields({ jwt_expires_at: "2026-99-99T00:00:00Z" }),
      `[${honest}]`,
      "null",
      "x".repeat(70_000),
      "\n::error::planted\n",
    ]) {
      await plant(text);
      const requests = stage.server.requests.length;
      const run = await signIn();
      assert.equal(run.exitCode, 1, text.slice(0, 300));
      assert.equal(stage.server.requests.length, requests);
      assert.equal(await readFile(path, "utf8"), text);
      assert.equal(run.token, undefined);
      assertOwnCommands(run);
      assert.equal((await stage.post(run)).exitCode, 0);
      assert.equal(await readFile(path, "utf8"), text);
    }
  });

  test("is not believed when others could have written it", { skip: process.platform === "win32" }, async () => {
    for (const mode of [0o644, 0o660, 0o602, 0o777]) {
      await plant(honest);
      await chmod(path, mode);
      const run = await signIn();
      assert.equal(run.exitCode, 0, run.log);
      assert.notEqual(run.token, honestFields()["jwt"]);
      await assertRight(run);
    }
  });

  test("endpoints are asked for three seconds at most, and believed in nothing", async () => {
    const asked: string[] = [];
    const token = String(honestFields()["jwt"]);
    const tell = (fields: Fields): RequestListener => {
      return (_request, response) => response.end(JSON.stringify({ token_type: "Bearer", job: "", ...fields }));
    };
    const answers: Readonly<Record<string, RequestListener>> = {
      silence: () => undefined,
      "headers without end": (_request, response) => {
        response.writeHead(200);
        const drip = setInterval(() => response.write(" "), 20);
        response.once("close", () => {
          clearInterval(drip);
        });
      },
      "a hundred megabytes": (_request, response) => {
        const chunk = Buffer.alloc(1024 * 1024, "x");
        let left = 100;
        const more = (): void => {
          while (left-- > 0 && response.write(chunk));
          if (left > 0) response.once("drain", more);
          else response.end();
        };
        more();
      },
      "a redirect": (_request, response) => response.writeHead(307, { location: stage.server.tokenUrl }).end(),
      "a reset": (request) => request.socket.destroy(),
      "a token of another job": tell({ access_token: token, job: "0".repeat(64) }),
      "a forged token": tell({ access_token: `${token.slice(0, -8)}AAAAAAAA`, job: digestOf(stage.job.env) }),
      "no token at all": tell({ access_token: "a", job: digestOf(stage.job.env) }),
      "a token with a command": tell({ access_token: "\n::error::planted", job: digestOf(stage.job.env) }),
      "another job's name that is a command": tell({ access_token: token, job: "\n::error::planted\u001b[2J" }),
    };
    for (const [what, answer] of Object.entries(answers)) {
      const server: Server = createServer((request, response) => {
        asked.push(request.headers.authorization ?? "");
        answer(request, response);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      try {
        await plant(
          withFields({ client_secret: "x".repeat(43), auth_url: `http://127.0.0.1:${port}/am/oauth2/access_token` }),
        );
        const run = await signIn();
        assert.ok(run.ms < 8000, `${what}: ${run.ms} ms`);
        assertOwnCommands(run);
        if (what.includes("another job")) {
          assert.equal(run.exitCode, 1, what);
          assert.match(run.log, /is in use by another job/);
        } else {
          assert.equal(run.exitCode, 0, `${what}: ${run.log}`);
          await assertRight(run);
        }
      } finally {
        server.closeAllConnections();
        server.close();
      }
    }
    assert.equal(asked.length, Object.keys(answers).length);
    // Nothing of ours went there: what the file itself said.
    for (const authorization of asked)
      assert.equal(
        Buffer.from(authorization.replace("Basic ", ""), "base64").toString(),
        `${encodeURIComponent(stage.server.clientId)}:${"x".repeat(43)}`,
      );
  });

  test("paths that no file has are refused, in plain text", async () => {
    for (const name of ["a\n::error::planted.json", "\u001b[2Jevil", "a\r::add-mask::planted"]) {
      const run = await signIn({ "auth-file": name });
      assert.equal(run.exitCode, 1);
      assert.match(run.log, /auth-file is neither true nor a path/);
      assertOwnCommands(run);
    }
  });

  test("paths are shown as plain text, and work", { skip: process.platform === "win32" }, async () => {
    for (const name of ["%0A::add-mask::planted", "\u202eevil", "::stop-commands::x", "a%25 $(b) `c`;"]) {
      const folder = join(stage.job.workspace, "own");
      await mkdir(folder, { recursive: true });
      path = join(folder, name);
      const run = await signIn();
      assert.equal(run.exitCode, 0, run.log);
      assertOwnCommands(run);
      assert.ok(!run.masks.includes("planted"));
      assert.equal(run.outputs["auth-file"], path);
      assert.equal(run.env["TF_VAR_scm_auth_file"], path);
      const end = await stage.post(run);
      assertOwnCommands(end);
      assert.match(end.log, /is removed/);
      const hostile = `${path}\n::error::planted\u001b[2J`;
      const named = await stage.signIn({ "keep-fresh": "false" }, { env: { TF_VAR_scm_auth_file: hostile } });
      assertOwnCommands(named);
      assert.match(named.log, /names another auth file already/);
      await stage.post(named);
    }
    path = join(stage.job.temp, "auth.json");
  });

  test("the job's secret is masked in every form, also as a provider would send it", async () => {
    const run = await stage.signIn();
    const file = await readWritten(run.outputs["auth-file"] ?? "");
    const secret = file.client_secret;
    for (const form of secretForms(secret)) assert.ok(run.masks.includes(form));
    const masks = makeRunnerMasks();
    for (const mask of run.masks) masks.add(mask);
    for (const [id, text] of Object.entries({
      basic: Buffer.from(`${file.client_id}:${secret}`).toString("base64"),
      shifted: Buffer.from(`x${file.client_id}:${secret}`).toString("base64"),
      "shifted again": Buffer.from(`xy${file.client_id}:${secret}`).toString("base64"),
      json: JSON.stringify(file),
    }))
      assertNoCanary([secret], { [id]: masks.apply(text) });
    const end = await stage.post(run, { canaries: () => [secret, stage.server.clientSecret, ...stage.server.issued] });
    assert.match(end.log, /is removed/);
  });

  test("sealed texts are refused in one line that shows none of them, and the step signs in", async () => {
    const sealed = (await stage.signIn({ "auth-file": "", seal: "true" })).outputs["sealed-token"] ?? "";
    const [header = "", , iv = "", ciphertext = "", tag = ""] = sealed.split(".");
    const written = (fields: Fields): string => {
      const own = JSON.parse(Buffer.from(header, "base64url").toString()) as Fields;
      return Buffer.from(JSON.stringify({ ...own, ...fields })).toString("base64url");
    };
    for (const text of [
      "planted-text".repeat(8000),
      "planted-text\n::set-output name=access-token::x\n::add-mask::e",
      "planted-text\u001b[2J漢\u202e%0A::error::x",
      `${"planted-text.".repeat(4)}planted-text`,
      `${"planted-text.".repeat(1000)}planted-text`,
      `${written({ zip: "DEF" })}..${iv}.${ciphertext}.${tag}`,
      `${written({ alg: "PBES2-HS256+A128KW", p2c: 2_000_000_000, p2s: "planted-text" })}..${iv}.${ciphertext}.${tag}`,
      `${written({ v: "\n::error::planted-text" })}..${iv}.${ciphertext}.${tag}`,
      `${written({ v: 9e15 })}..${iv}.${ciphertext}.${tag}`,
      `${written({ salt: "" })}..${iv}.${ciphertext}.${tag}`,
      `${written({})}.planted-text.${iv}.${ciphertext}.${tag}`,
      `${header}..${iv}.${ciphertext}.${"A".repeat(tag.length)}`,
      sealed.slice(0, 40),
    ]) {
      const run = await stage.signIn({ "auth-file": "", "sealed-token": text });
      assert.equal(run.exitCode, 0, run.log);
      assert.match(run.log, /^The sealed token is not used: .* Signing in\.$/m);
      assert.doesNotMatch(run.stdout, /planted-text/);
      assertOwnCommands(run);
      assert.ok(run.ms < 5000);
      assert.ok(stage.server.issued.includes(run.token ?? ""));
    }
  });
});

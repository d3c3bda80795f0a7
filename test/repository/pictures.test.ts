import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { runCheck } from "../../action/check.ts";
import { reportFailure } from "../../action/log.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import { createSignInContext } from "../../shared/sign-in.ts";
import { captureLog, RecordingRunner } from "../action/recording-runner.ts";
import { createCertificates } from "../support/certificates.ts";
import { inRepository } from "../support/runner-job.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { createSigner } from "../support/tokens.ts";
import { setVariables } from "../support/variables.ts";

const readPicture = (name: string): Promise<string> => readFile(inRepository(`docs/${name}.svg`), "utf8");

/** Returns the texts in a part of an SVG. The lines of one text are joined with spaces. */
const getTexts = (svg: string): readonly string[] =>
  [...svg.matchAll(/<text[^>]*>([^]*?)<\/text>/g)].map(([, text = ""]) =>
    text
      .replaceAll("</tspan><tspan", "</tspan> <tspan")
      .replace(/<[^>]+>/g, "")
      .replaceAll("&amp;", "&"),
  );

const getPart = (svg: string, id: string): string =>
  svg.slice(svg.indexOf(`id="${id}"`)).split(/<\/g>\n|<\/svg>/)[0] ?? "";

/** Replaces what differs between the picture and a run on this machine. */
const normalize = (text: string): string =>
  text
    .replace(/auth\.apps\.paloaltonetworks\.com(:443)?|(127\.0\.0\.1|localhost)(:\d+)?/g, "HOST")
    .replace(/203\.0\.113\.7|HOST is an IP address/, "ADDRESS")
    .replace(/issued by .*/, "issued by ISSUER")
    .replace(/scm-auth [\d.]+, Node v\S+ on \w+ \w+/, "VERSIONS");

test("the pictures of an annotation and of a check show the texts that a run writes", async (t) => {
  const tls = createCertificates();
  const signer = await createSigner();
  const server = await startScriptedServer({
    // The keys arrive first, as in the picture.
    token: {
      ...{ status: 401, delayMs: 300 },
      body: { error: "invalid_client", error_description: "Client authentication failed" },
    },
    jwks: { body: { keys: [signer.jwk] } },
    tls,
  });
  t.after(server.close);
  setVariables(t, {
    ...{ RUNNER_OS: "Linux", RUNNER_ARCH: "X64", RUNNER_ENVIRONMENT: "github-hosted" },
    ...{ ImageOS: "ubuntu24", ImageVersion: "20261101.1.0", https_proxy: undefined, HTTPS_PROXY: undefined },
  });
  const runner = new RecordingRunner();
  const authRequest = AuthRequest.parse({
    ...{ clientId: "ci@1234567890.iam.panserviceaccount.com", clientSecret: "wrong-secret-9f27c1aa", ca: tls.ca },
    tokenUrl: `${server.origin}/am/oauth2/access_token`,
  });
  const context = createSignInContext(authRequest, { policy: { maxRetries: 0 }, redactor: runner.redactor });
  const limits = { deadline: systemClock.monotonic() + 30_000, signal: undefined };
  const failure: unknown = await runCheck(runner, context, limits).then(
    () => assert.fail("the check did not fail"),
    (error: unknown) => error,
  );

  const annotation = await readPicture("annotation");
  const [message] = captureLog((actual) => {
    reportFailure(actual, failure);
  }).annotations.map(({ message }) => message.split("\n"));
  assert.deepEqual(getTexts(getPart(annotation, "message")), message);

  const check = await readPicture("check");
  const [heading = "", , header = "", , ...lines] = runner.markdown ?? [];
  const toCells = (line: string): readonly string[] =>
    line
      .split("|")
      .map((cell) => normalize(cell.trim().replace(/^`|`$/g, "")))
      .filter((cell) => cell !== "");
  // Neither the durations nor the result of DNS, which is skipped for an address, are those in the picture.
  const withoutTimes = (cells: readonly string[]): readonly string[] =>
    cells.filter((cell) => !/^\d{1,4}$/.test(cell)).filter((_, index) => cells[0] !== "DNS" || index !== 1);
  assert.equal(getTexts(check)[0], heading.replace("## ", ""));
  assert.deepEqual(getTexts(getPart(check, "columns")), toCells(header));
  const rows = [...getPart(check, "rows").matchAll(/<g>(.*?)<\/g>/g)].map(([row]) => getTexts(row).map(normalize));
  assert.deepEqual(
    rows.map(withoutTimes),
    lines.filter((line) => line.startsWith("|")).map((line) => withoutTimes(toCells(line))),
  );
  assert.equal(getTexts(check).at(-1), lines.find((line) => line.startsWith("["))?.replace(/\[(.*)\]\([^)]*\)/, "$1"));
});

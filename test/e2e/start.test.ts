import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makePage, wrap } from "../../scripts/page.ts";
import { drawStart, lasting } from "../../scripts/start-picture.ts";
import { spawn } from "../support/searched-process.ts";

const START = fileURLToPath(new URL("../../scripts/start.ts", import.meta.url));

/** Runs `npm start`'s script as if piped, with a temporary folder of its own. */
async function start(onOutput: (output: string, stop: () => void) => void = () => undefined) {
  const temporary = await mkdtemp(join(tmpdir(), "scm-auth-start-test-"));
  try {
    const env = { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary };
    const child = spawn(process.execPath, [START], { env, timeout: 120_000, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      onOutput(stdout, () => child.kill("SIGINT"));
    });
    const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { exitCode, stdout, stderr, left: await readdir(temporary) };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The walk from end to end, which takes its time: once for all tests that look at it. */
const wholeWalk = start();

test("a newcomer sees a sign-in, a failure, the auth file and its renewal, a Pulumi program, and nothing stays behind", async () => {
  const { exitCode, stdout, stderr, left } = await wholeWalk;
  assert.equal(stderr, "");
  assert.equal(exitCode, 0, stdout);
  assert.deepEqual(left, []);
  const parts = [
    "Signed in: tenant 1234567890",
    "access-token: ***",
    "-> 200 tag",
    "Error: ",
    "Hint: ",
    "Exit code 1, 0 outputs",
    "$RUNNER_TEMP/scm-auth-",
    '"client_secret": "***"',
    "with the token of then -> 401",
    "that the file holds now -> 200",
    "-> 200 a token good for",
    "requests of that provider to the auth server: 0",
    "The auth file is removed. Its keeper renewed it ",
    "A Pulumi program",
    "tags in SCM: production (Red)",
    "A preview there shows no change",
    "Token requests: 1 for the update",
    "README.md",
  ];
  const places = parts.map((part) => stdout.indexOf(part));
  assert.ok(!places.includes(-1), `missing: ${parts.filter((_, n) => places[n] === -1).join("; ")}`);
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
});

test("its picture in docs shows what it prints", async () => {
  const [{ stdout }, picture] = await Promise.all([
    wholeWalk,
    readFile(new URL("../../docs/npm-start.svg", import.meta.url), "utf8"),
  ]);
  assert.equal(lasting(picture), lasting(drawStart(stdout)), "npm run picture draws it anew");
  assert.throws(() => drawStart(stdout.replaceAll("Signed in: ", "Here is ")), /no longer prints.*Signed in: /);
});

test("through a pipe it is plain, fits 80 columns, and shows neither secret nor token", async () => {
  const { stdout } = await wholeWalk;
  assert.match(stdout, /Where to read on/);
  assert.doesNotMatch(stdout, /[^\n\x20-\x7e]/);
  assert.deepEqual(
    stdout.split("\n").filter((line) => line.length > 80),
    [],
  );
  assert.doesNotMatch(stdout, /[0-9a-f]{8}-[0-9a-f]{4}-4|eyJ/);
});

// On Windows a signal ends a process before it can clean up.
for (const [when, sign] of [
  ["half-way", "2. "],
  ["while an auth file is kept", "The file (mode "],
] as const) {
  test(`stopped ${when} it fails and still leaves nothing behind`, { skip: process.platform === "win32" }, async () => {
    const { exitCode, stdout, left } = await start((output, stop) => {
      if (output.includes(sign)) stop();
    });
    // On a busy machine the signal may come too late.
    assert.equal(exitCode, stdout.includes("Where to read on") ? 0 : 1);
    assert.deepEqual(left, []);
  });
}

test("text is wrapped at spaces, keeps its indentation, and long words stay whole", () => {
  assert.deepEqual(wrap("  one two three", 9), ["  one two", "  three"]);
  assert.deepEqual(wrap("a longer-than-that b", 5), ["a", "longer-than-that", "b"]);
  assert.deepEqual(wrap("", 5), [""]);
});

test("a page sets apart what machines say, on however narrow a terminal", () => {
  let text = "";
  const page = makePage({ write: (part) => (text += String(part)) !== "", columns: 10 });
  page.step("One");
  page.say("prose that is longer than one line");
  page.show(["a", ""]);
  page.say("more");
  assert.equal(text, "1. One\nprose that is longer\nthan one line\n\n  | a\n  |\n\nmore\n");
});

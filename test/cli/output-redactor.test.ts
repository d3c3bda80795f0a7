import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { OutputRedactor, SecretSet } from "../../cli/output-redactor.ts";
import { fc } from "../support/fuzzing.ts";

const createSecret = (bytes: number): string => randomBytes(bytes).toString("base64url");
/** All tokens of an issuer have the same header. */
const HEADER = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ";
const createToken = (): string => `${HEADER}.${createSecret(300)}.${createSecret(256)}`;
const TOKENS = [createToken(), createToken(), createToken()];
const JOB_SECRET = createSecret(32);

function createRedactor(secrets: readonly string[] = [...TOKENS, JOB_SECRET]) {
  const set = new SecretSet();
  for (const secret of secrets) set.add(secret);
  const written: string[] = [];
  const redactor = new OutputRedactor(set, (data) => written.push(data.toString("latin1")));
  return { set, redactor, getOutput: () => written.join("") };
}

/** Passes a text through a redactor in chunks. */
function redact(text: string, sizes: readonly number[] = [], secrets?: readonly string[]): string {
  const { redactor, getOutput } = createRedactor(secrets);
  const bytes = Buffer.from(text, "latin1");
  let at = 0;
  for (const size of [...sizes, Infinity]) {
    redactor.write(bytes.subarray(at, at + size));
    at += size;
  }
  redactor.flush();
  return getOutput();
}

const [token = ""] = TOKENS;
const [header = "", payload = "", signature = ""] = token.split(".");

test("replaces tokens in any chunks, and changes nothing else", () => {
  const visible = fc.oneof(
    fc.string({ unit: "binary-ascii", maxLength: 60 }),
    // What looks like a token, and the beginning of one.
    fc.constantFrom(HEADER, `${HEADER}.`, "eyJ", `${header}.${payload}.${signature.slice(0, -1)}!`, "\xff\0"),
    fc.integer({ min: 1, max: token.length - 1 }).map((length) => `${token.slice(0, length)}\n`),
  );
  const hidden = fc.constantFrom(...TOKENS, JOB_SECRET, `${payload}.${signature}`, signature);
  const piece = fc.oneof(
    visible.map((text) => [text, text] as const),
    hidden.map((secret) => [` ${secret} `, " *** "] as const),
  );
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 900 })), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), sizes, (pieces, chunks) => {
      const input = pieces.map(([text]) => text).join("");
      const output = pieces.map(([, text]) => text).join("");
      assert.equal(redact(input, chunks), output);
    }),
  );
});

test("replaces a token that straddles two chunks, at every position", () => {
  for (let at = 1; at < token.length; at++) assert.equal(redact(`a ${token} b`, [2 + at]), "a *** b");
});

test("replaces adjacent tokens, and secrets next to other characters", () => {
  assert.equal(redact(TOKENS.join("")), "*********");
  assert.equal(redact(`x${JOB_SECRET}x"${token}"`), 'x***x"***"');
  assert.equal(redact(`${header}x.${payload}.${signature}`), `${header}x.***`);
});

test("recognizes secrets of at least 8 bytes, and secrets that are added later", () => {
  assert.equal(redact("a 12345678 b 1234567", [5, 3], ["12345678", "1234567", "a"]), "a *** b 1234567");
  const { set, redactor, getOutput } = createRedactor([]);
  redactor.write(Buffer.from(`${token}\n`));
  set.add(token);
  redactor.write(Buffer.from(`${token}\n`));
  assert.equal(getOutput(), `${token}\n***\n`);
});

test("holds back only what may be the beginning of a secret, for 100 ms at most", async () => {
  const { redactor, getOutput } = createRedactor();
  redactor.write(Buffer.from("Enter a value: "));
  assert.equal(getOutput(), "Enter a value: ");
  redactor.write(Buffer.from(`x ${token.slice(0, 50)}`));
  assert.equal(getOutput(), "Enter a value: x ");
  await setTimeout(300);
  assert.equal(getOutput(), `Enter a value: x ${token.slice(0, 50)}`);
  // The rest of the token is still recognized by its signature.
  redactor.write(Buffer.from(`${token.slice(50)}\n`));
  assert.ok(getOutput().endsWith(".***\n"));
});

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";

import { judgeSealingSecret } from "../../../shared/handoff/sealing-key.ts";

/** 16 different characters. */
const DISTINCT = "abcdefghijklmnop";

const strong: Readonly<Record<string, string>> = {
  "a random UUID": "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10",
  "a random UUID in capitals": "3F0D8AB2-5B1C-4C7E-9D35-6F1F3F8D8A10",
  "32 characters, 16 of them different": DISTINCT.repeat(2),
  "32 characters beyond ASCII": "äöüßéèêàâîôûçñøå".repeat(2),
  "more than a UUID of the time": "x01234567-89ab-1def-8f01-23456789abcd",
  "a UUID of the time and more": "01234567-89ab-1def-8f01-23456789abcdx",
  "a UUID without its dashes and 16 different digits": "0123456789abcdef0123456789abcdef",
};
const weak: Readonly<Record<string, string>> = {
  nothing: "",
  "31 characters": DISTINCT.repeat(2).slice(1),
  "15 different characters": DISTINCT.slice(1).repeat(10),
  "31 characters of two code units each": "🔑".repeat(15) + DISTINCT,
  "a UUID made of the time (version 1)": "01234567-89ab-1def-8f01-23456789abcd",
  "a UUID made of a name (version 5)": "01234567-89ab-5def-8f01-23456789abcd",
  "a UUID of the time and chance (version 7)": "01234567-89ab-7def-8f01-23456789abcd",
  "a UUID of another variant": "01234567-89ab-4def-cf01-23456789abcd",
};

for (const [name, secret] of Object.entries(strong))
  test(`a secret that is ${name} will do`, () => {
    assert.equal(judgeSealingSecret(secret), undefined);
  });

for (const [name, secret] of Object.entries(weak))
  test(`a secret that is ${name} is too weak, and is not quoted`, () => {
    const problem = judgeSealingSecret(secret);
    assert.deepEqual(problem, {
      field: "clientSecret",
      reason: "is too weak to seal under: whoever sees the sealed token could find it out by trying",
      hint:
        "Seal under a secret as Strata Cloud Manager makes them (a random UUID, version 4), or one of at least " +
        "32 characters, 16 of them different.",
    });
    assert.ok(secret === "" || !JSON.stringify(problem).includes(secret));
  });

test("every secret as SCM makes them will do, and every one of 32 random bytes", () => {
  for (let round = 0; round < 1000; round++) {
    assert.equal(judgeSealingSecret(randomUUID()), undefined);
    assert.equal(judgeSealingSecret(randomBytes(32).toString("base64url")), undefined);
  }
});

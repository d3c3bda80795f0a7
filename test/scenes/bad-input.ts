import assert from "node:assert/strict";

import { CLIENT, SECRET, TENANT } from "./cast.ts";
import { refuses, signsIn, type Scene, type Told } from "./scene.ts";
import { NO_FILE, wrong } from "./wrong-input.ts";

const BLANK = ["", "  ", "\n\t "];

const missing: readonly Scene[] = [
  ...BLANK.flatMap((blank) => [
    wrong(blank, { "client-id": ["client-id is missing or blank.", "Give it a value"] }),
    wrong(blank, { "client-secret": ["client-secret is missing or blank.", /`environment:`.*`secrets: inherit`/] }),
  ]),
  {
    name: "inputs that the runner does not set at all are missing",
    env: { "INPUT_CLIENT-ID": undefined, "INPUT_CLIENT-SECRET": undefined, "INPUT_TSG-ID": undefined },
    inputs: { "client-secret": "" },
    expect: refuses([
      ["client-id is missing or blank.", "Give it a value"],
      ["client-secret is missing or blank.", "Is the secret's name spelt"],
    ]),
  },
  {
    name: "without tsg-id, scope and a client id that names the tenant the tenant is missing",
    inputs: { "client-id": "ci@example.com", "tsg-id": "" },
    expect: refuses([["tsg-id is missing and the client id names no tenant.", "in digits"]]),
  },
  {
    name: "a client id that only looks like one that names the tenant does not",
    inputs: { "client-id": `ci@${TENANT}.iam.panserviceaccount.com.evil.test`, "tsg-id": "" },
    expect: refuses([["tsg-id is missing", "in digits"]]),
  },
];

const VERIFY: Told = ["verify is neither true nor false.", "Write true or false."];
const RETRIES: Told = ["max-retries is not a whole number from 0 to 20.", "Write digits alone, from 0 to 20."];
const TIMEOUT: Told = ["timeout is not a whole number from 1 to 3600.", "Write digits alone, from 1 to 3600."];

const BAD_NUMBERS = [
  "1e9",
  "-1",
  "3.5",
  "0x10",
  "+3",
  "1_000",
  "3 0",
  "three",
  "٣",
  "9".repeat(400),
  "Infinity",
  "0b1",
  "5s",
  '"3"',
];

const options: readonly Scene[] = [
  ...["yes", "on", "1", "tRUE", "'true'", "constructor", "__proto__"].map((text) => wrong(text, { verify: VERIFY })),
  ...["True", "TRUE", " true\n", ""].map((text) => ({
    name: `verify: ${JSON.stringify(text)} is true`,
    inputs: { verify: text },
    expect: signsIn(),
  })),
  ...["False", "FALSE"].map((text) => ({
    name: `verify: ${text} is false`,
    inputs: { verify: text },
    expect: signsIn({ keys: 0 }),
  })),
  ...BAD_NUMBERS.map((text) => wrong(text, { "max-retries": RETRIES, timeout: TIMEOUT })),
  wrong("21", { "max-retries": RETRIES }),
  wrong("0", { timeout: TIMEOUT }),
  wrong("3601", { timeout: TIMEOUT }),
  ...["0", "20", " 5 ", "007", ""].map((text) => ({
    name: `max-retries: ${JSON.stringify(text)} is good`,
    inputs: { "max-retries": text },
    expect: signsIn(),
  })),
  ...["3600", " 60\n", "0180", ""].map((text) => ({
    name: `timeout: ${JSON.stringify(text)} is good`,
    inputs: { timeout: text },
    expect: signsIn(),
  })),
];

const ids: readonly Scene[] = [
  ...[
    "abc", "1.23e9", "1234567890.0", "-5", "12 34", "0x1f", "tsg_id:", "tsg_id:abc", "tsg_id:1 tsg_id:2", "TSG_ID:1",
    "١٢٣٤", "1".repeat(21), '"9876543210"', "1234567890\n1234567890", "1,234,567",
  ].map((text) => wrong(text, { "tsg-id": ["tsg-id is not digits alone.", 'in YAML with quotes: "1234567890"'] })), // prettier-ignore
  ...["ci@1 .iam.panserviceaccount.com", "ci@1\n.iam", "ci@\t1", "ci\u0001@1", "ci\u00a0@1", "ci\u007f"].map((id) =>
    wrong(id, { "client-id": ["client-id holds white space or control characters.", "Write the id alone"] }),
  ),
];

const OTHER_TENANT = "scope is for another tenant than tsg-id.";
const BAD_WORD = "scope holds a word that no scope may hold (RFC 6749 section 3.3).";

const scopes: readonly Scene[] = [
  {
    name: "a scope for another tenant than tsg-id is refused, and the scope to write is shown",
    inputs: { scope: "profile tsg_id:77" },
    expect: refuses([[OTHER_TENANT, `Write tsg_id:${TENANT} profile, or leave scope out.`]]),
  },
  ...[`tsg_id:${TENANT} tsg_id:77`, "profile", `tsg_id:${TENANT}1`, `xtsg_id:${TENANT}`, `TSG_ID:${TENANT}`].map(
    (scope) => ({
      name: `with tsg-id the scope "${scope}" is refused`,
      inputs: { scope },
      expect: refuses([[OTHER_TENANT, `Write tsg_id:${TENANT}`]]),
    }),
  ),
  ...[
    'tsg_id:1 "profile"',
    "tsg_id:1\\n",
    "tsg_id:1 é",
    "tsg_id:abc",
    "tsg_id",
    "tsg_id:",
    "tsg_id:1\tprofile",
    "tsg_id:1\nprofile",
    "tsg_id:1,profile\u0001",
  ].map((scope) => ({
    name: `the scope ${JSON.stringify(scope)} is refused`,
    inputs: { scope, "tsg-id": "" },
    expect: refuses([[BAD_WORD, "Write words of printable ASCII"]]),
  })),
];

const CONTROLS: Readonly<Record<string, string>> = {
  "a line feed": "\n",
  "a carriage return": "\r",
  "two line ends": "\r\n\r\n",
  "a tab": "\t",
  "the character U+0001": "\u0001",
  "an escape": "\u001b",
  DEL: "\u007f",
  "the character U+0085": "\u0085",
};
const [half, otherHalf] = [SECRET.slice(0, 18), SECRET.slice(18)];

const secrets: readonly Scene[] = [
  ...Object.entries(CONTROLS).map(([what, control]) => ({
    name: `${what} inside the secret is refused, and no part of the secret shown`,
    inputs: { "client-secret": half + control + otherHalf },
    expect: refuses(
      [["client-secret holds a line break or a control character.", "Paste the secret anew as one line"]],
      {
        never: [half, otherHalf],
      },
    ),
  })),
  {
    name: "the secret under the wrong inputs is told nowhere",
    inputs: {
      "tsg-id": SECRET,
      "token-url": SECRET,
      "jwks-url": SECRET,
      verify: SECRET,
      "ca-cert": SECRET,
      timeout: SECRET,
      "max-retries": SECRET,
      "client-secret": "",
    },
    expect: refuses(
      [
        ["client-secret is missing or blank.", "Is the secret's name spelt"],
        ["tsg-id is not digits alone.", "in digits"],
        ["token-url is no URL.", "Write it like"],
        ["jwks-url is no URL.", "Write it like"],
        VERIFY,
        [NO_FILE, "a path"],
        RETRIES,
        TIMEOUT,
      ],
      { never: [SECRET] },
    ),
  },
];

const together: readonly Scene[] = [
  {
    name: "everything wrong is told in one go, one annotation each",
    inputs: {
      "client-id": "a b",
      "client-secret": `${half}\n${otherHalf}`,
      "tsg-id": "abc",
      scope: "tsg_id:x \u00e9",
      "token-url": "http://example.com/",
      "jwks-url": "https://a@example.com/",
      verify: "yes",
      "ca-cert": "missing.pem",
      "max-retries": "1e9",
      timeout: "0",
    },
    expect: refuses([
      ["client-id holds white space", "Write the id alone"],
      ["client-secret holds a line break", "Paste the secret anew"],
      ["tsg-id is not digits alone", "in digits"],
      [BAD_WORD, "printable ASCII"],
      ["token-url is not an https URL", "https://"],
      ["jwks-url holds a user name", "before the @"],
      VERIFY,
      [NO_FILE, "a path"],
      RETRIES,
      TIMEOUT,
    ]),
  },
  {
    name: "problems of options alone are told as well",
    inputs: { verify: "maybe", timeout: "soon" },
    expect: refuses([VERIFY, TIMEOUT]),
  },
  {
    name: "a problem comes with no notice of what was assumed",
    inputs: { "client-id": ` ${CLIENT}`, "tsg-id": "", timeout: "0" },
    expect: refuses([TIMEOUT], {
      also: ({ annotations }) => {
        assert.equal(annotations.length, 1);
      },
    }),
  },
];

/** What is told of inputs before any request is made. */
export const badInput: readonly Scene[] = [...missing, ...options, ...ids, ...scopes, ...secrets, ...together];

import { SECRET, TSG_ID } from "../fixtures.ts";
import { rejectsInputs, succeeds, type Pattern, type Scenario, type Variables } from "../scenario.ts";

const [HALF, OTHER_HALF] = [SECRET.slice(0, 18), SECRET.slice(18)];

/** Invalid inputs and their errors. Each name completes "rejects ...". */
const INVALID: readonly (readonly [name: string, inputs: Variables, ...errors: Pattern[]])[] = [
  ["blank credentials", { "client-id": " \n", "client-secret": "" }, /client-id is required/, /client-secret is required.*\n.*`environment:`.*`secrets: inherit`/],
  ["swapped credentials", { "client-id": SECRET, "client-secret": `ci@${TSG_ID}.iam.panserviceaccount.com` }, /client-secret looks like a client ID/],
  ["a JSON document as the secret", { "client-secret": `{"client_secret":"${SECRET}"}` }, /client-secret is a JSON document/],
  ["a line break in the secret", { "client-secret": `${HALF}\n${OTHER_HALF}` }, /client-secret contains a line break/],
  ["a scope for another tenant than tsg-id", { scope: "profile tsg_id:77" }, /scope/],
  ["a ca-cert that is neither PEM nor a file", { "ca-cert": "certs/missing.pem" }, /ca-cert is neither PEM data nor a readable file.*\n.*check out the repository/],
  ["check together with outputs", { check: "true", "auth-file": "true", seal: "true" }, /check cannot be combined with auth-file, seal/],
  ["seal with verify: false", { seal: "true", verify: "false" }, /seal cannot be combined with verify: false/],
  [
    "many invalid inputs at once, with one annotation each",
    { "client-id": "a b", "client-secret": `${HALF}\n${OTHER_HALF}`, "tsg-id": "abc", "token-url": "ftp://a.test/", verify: "yes", "max-retries": "1e9", timeout: "0", "min-ttl": "-1", "keep-fresh": "maybe" },
    /client-id contains whitespace/, /client-secret contains a line break/, /tsg-id must contain digits/, /token-url is not an https URL/, /verify must be true or false/,
    /max-retries must be an integer between 0 and 20/, /timeout must be an integer between 1 and 3600/, /min-ttl must be an integer/, /keep-fresh must be true or false/,
  ],
  [
    "the secret in other inputs without showing it",
    { "client-secret": "", "tsg-id": SECRET, "token-url": SECRET, verify: SECRET, "ca-cert": SECRET, timeout: SECRET },
    /client-secret is required/, /tsg-id/, /token-url/, /verify/, /ca-cert/, /timeout/,
  ],
]; // prettier-ignore

export const inputs: readonly Scenario[] = [
  ...INVALID.map(([name, values, ...errors]) => ({
    name: `rejects ${name}`,
    inputs: values,
    secrets: [SECRET, HALF, OTHER_HALF, "hunter2-hunter2"],
    expect: rejectsInputs(...errors),
  })),
  {
    name: "uses the defaults for blank inputs and accepts YAML spellings of booleans",
    inputs: {
      verify: " TRUE\n",
      "max-retries": "",
      timeout: " 060 ",
      "auth-file": "",
      "keep-fresh": "False",
      check: "",
    },
    expect: succeeds(),
  },
];

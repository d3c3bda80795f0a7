import assert from "node:assert/strict";
import { test } from "node:test";
import { createChildEnvironment } from "../../cli/child-environment.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { getTokenTools, parseTools, TOOL_NAMES } from "../../cli/tools.ts";
import { AccessToken } from "../../shared/access-token.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import type { Environment } from "../../shared/environment.ts";

const CLIENT_ID = "ci@1234567890.iam.panserviceaccount.com";
const SECRET = "8f0c1d7e-4b1a-4c39-9a53-0d3f6a1b2c3d";
const server = { authUrl: "http://127.0.0.1:8080/am/oauth2/access_token", clientSecret: "token-server-secret" };
const { authUrl: url, clientSecret: secret } = server;

function create(env: Environment, tools: readonly string[] = [], scope?: string) {
  const authRequest = AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET, scope });
  const props = { deadline: 1, lifetime: 1, expiresAt: new Date(), scope: [], tsgIds: [] };
  const token = new AccessToken("header.payload.signature", props);
  return createChildEnvironment(env, { authRequest, token, path: "/run/auth.json", server, tools });
}

const COMMON = {
  SCM_CLIENT_ID: CLIENT_ID,
  SCM_CLIENT_SECRET: secret,
  SCM_SCOPE: "tsg_id:1234567890",
  SCM_TSG_ID: "1234567890",
  SCM_TOKEN_URL: url,
  SCM_AUTH_URL: url,
  SCM_AUTH_FILE: "/run/auth.json",
  TF_VAR_scm_auth_file: "/run/auth.json",
};

test("the environment leads to the token server, and does not contain the client secret", () => {
  const { env, removed } = create({
    PATH: "/bin",
    EMPTY: undefined,
    SCM_CLIENT_SECRET: SECRET,
    SCM_CLIENT_SECRET_FILE: "/secret",
    SCM_SEALED_TOKEN: "sealed",
    SCM_AUTH_URL: "https://auth.example.com/access_token",
    TF_VAR_client_secret: SECRET,
    CONFIG: `{"secret":"${SECRET}"}`,
  });
  assert.deepEqual(env, { PATH: "/bin", ...COMMON });
  assert.deepEqual(removed, ["TF_VAR_client_secret", "CONFIG"]);
});

test("SCM_TSG_ID is not set if the scope contains several tenants", () => {
  const { env } = create({ SCM_TSG_ID: "1" }, [], "tsg_id:1234567890 tsg_id:1234567891");
  assert.deepEqual([env["SCM_TSG_ID"], env["SCM_SCOPE"]], [undefined, "tsg_id:1234567890 tsg_id:1234567891"]);
});

const airs = (prefix: string): Environment => ({
  [`${prefix}_CLIENT_ID`]: CLIENT_ID,
  [`${prefix}_CLIENT_SECRET`]: secret,
  [`${prefix}_TSG_ID`]: "1234567890",
  [`${prefix}_TOKEN_ENDPOINT`]: url,
});

const VARIABLES: Readonly<Record<string, Environment>> = {
  scm: {},
  prismasdwan: {},
  vcert: { VCERT_TOKEN: "header.payload.signature" },
  venafi: {
    VENAFI_CLIENT_ID: CLIENT_ID,
    VENAFI_CLIENT_SECRET: secret,
    VENAFI_TSG_ID: "1234567890",
    VENAFI_TOKEN_URL: url,
  },
  airs: { ...airs("PANW_MGMT"), ...airs("PANW_RED_TEAM"), ...airs("PANW_MODEL_SEC"), ...airs("PANW_AI_GW") },
  "pan-scm-cli": { SCM_ACCESS_TOKEN: "header.payload.signature" },
};

for (const [tool, variables] of Object.entries(VARIABLES))
  test(`--export ${tool} adds the variables of ${tool}`, () => {
    assert.deepEqual(create({}, [tool]).env, { ...COMMON, ...variables });
  });

test("--export takes several tools, names the known ones, and knows which tools cannot renew", () => {
  assert.deepEqual(parseTools(" scm, vcert,"), ["scm", "vcert"]);
  assert.deepEqual(parseTools(undefined), []);
  assert.throws(() => parseTools("scm,tofu"), { message: '--export: "tofu" is not a known tool.', exitStatus: 2 });
  assert.deepEqual(TOOL_NAMES.toSorted(), Object.keys(VARIABLES).sort());
  for (const name of TOOL_NAMES) assert.ok(COMMANDS.run.options.export.help.includes(name));
  assert.deepEqual(getTokenTools(TOOL_NAMES), ["vcert", "pan-scm-cli"]);
});

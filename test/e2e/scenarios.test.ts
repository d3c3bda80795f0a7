import { describe, test } from "node:test";
import { runScenario } from "./run-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { abnormalExits } from "./scenarios/abnormal-exits.ts";
import { claimScenarios } from "./scenarios/claims.ts";
import { dns } from "./scenarios/dns.ts";
import { environment } from "./scenarios/environment.ts";
import { forgedTokens } from "./scenarios/forged-tokens.ts";
import { inputs } from "./scenarios/inputs.ts";
import { jwks } from "./scenarios/jwks.ts";
import { leakedSecrets } from "./scenarios/leaked-secrets.ts";
import { network } from "./scenarios/network.ts";
import { proxies } from "./scenarios/proxies.ts";
import { reflectedSecrets } from "./scenarios/reflected-secrets.ts";
import { signIn } from "./scenarios/sign-in.ts";
import { tokenResponses } from "./scenarios/token-responses.ts";

const GROUPS: Readonly<Record<string, readonly Scenario[]>> = {
  "sign-in": signIn,
  "token responses": tokenResponses,
  JWKS: jwks,
  "forged tokens": forgedTokens,
  claims: claimScenarios,
  network,
  proxies,
  DNS: dns,
  inputs,
  "reflected secrets": reflectedSecrets,
  "leaked secrets": leakedSecrets,
  "abnormal exits": abnormalExits,
  environment,
};

/** Each scenario runs dist/action. Scenarios mostly wait, so more of them can run at once than there are cores. */
for (const [group, scenarios] of Object.entries(GROUPS)) {
  describe(group, { concurrency: 4 }, () => {
    for (const scenario of scenarios.filter(({ skipOn }) => !skipOn?.includes(process.platform)))
      test(scenario.name, () => runScenario(scenario));
  });
}

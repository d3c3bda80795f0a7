import { readFileSync } from "node:fs";
import { systemClock } from "../../shared/clock.ts";
import { send } from "../../shared/http/send.ts";
import { trust } from "../../shared/http/tls.ts";
import { POLICIES } from "./policies.ts";

/**
 * One job under a policy of others: the token request of a sign-in over TLS, as a process of its own. Ends with 0 when
 * signed in.
 */

const { HERD_POLICY: name, HERD_TOKEN_URL: url = "", HERD_CA: ca = "", HERD_CLIENT: client = "" } = process.env;
const policy = POLICIES.find((one) => one.name === name);
if (policy === undefined) throw new Error(`no policy is called ${name ?? "nothing"}`);

const secureContext = trust(readFileSync(ca, "utf8"));
const request = {
  method: "POST",
  url: new URL(url),
  headers: { "content-type": "application/x-www-form-urlencoded" },
  body: new URLSearchParams({ grant_type: "client_credentials", client_id: client }).toString(),
} as const;

const { signal } = new AbortController();
await policy.signIn(
  (timeLimit) => send(request, { timeLimit, signal, secureContext, userAgent: "herd", clock: systemClock }),
  { clock: systemClock, random: Math.random },
);

import { ApiError, AuthError, AuthRequest, OAuth2Client } from "scm-auth";

/**
 * `node scripts/release/smoke-test.ts [PATH]` signs in to the real service with credentials from the environment, reads
 * one page of a list (default: the tags), and prints which of this project's assumptions hold. It sends one token
 * request and otherwise only GET requests. It prints no secrets, no tokens, and no claims other than the lifetime and
 * the issuer's port.
 */

const [, , path = "/config/objects/v1/tags?folder=All&limit=1"] = process.argv;

function check(assumption: string, holds: boolean, observed: string | number = ""): void {
  console.log(`${holds ? "ok    " : "FAILED"} ${assumption}${observed === "" ? "" : ` (${observed})`}`);
  if (!holds) process.exitCode = 1;
}

async function run(): Promise<void> {
  const request = AuthRequest.fromEnv();
  const client = await OAuth2Client.connect(request);
  check("sign-in with a verified signature", client.signingKey !== undefined);
  const claims = await client.decodeToken();
  check("aud is the client ID", [claims.aud].flat().includes(request.clientId));
  check("exp and iat are 15 minutes apart", Math.abs(claims.exp - claims.iat - 900) <= 60, claims.exp - claims.iat);
  check("iss contains port 443", (claims.iss ?? "").includes(":443/"));
  check("scope is an array", Array.isArray(claims.scope));
  check("the scope grants the requested tenants", client.scope?.split(" ").includes(request.scope) ?? false);
  check("kid is at most 256 characters", (client.signingKey?.kid ?? "").length <= 256);
  const page = await client.session.request<Readonly<Record<string, unknown>>>("GET", path);
  check(
    "a list response has data, offset, limit, and total",
    ["data", "offset", "limit", "total"].every((name) => name in page),
  );
}

try {
  await run();
} catch (error) {
  if (AuthError.isAuthError(error)) console.error(error.message, error.hint);
  else if (ApiError.isApiError(error)) console.error(error.message);
  else throw error;
  process.exitCode = 1;
}

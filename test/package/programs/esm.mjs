import { ApiError, AuthError, AuthRequest, OAuth2Client } from "scm-auth";

const client = await OAuth2Client.connect(AuthRequest.fromEnv());
const tags = client.session.list("/config/objects/v1/tags", { query: { folder: "All" } });
for await (const { name } of tags) console.log(name);

try {
  await client.session.request("GET", "/nowhere");
} catch (error) {
  if (!ApiError.isApiError(error)) throw error;
  console.log(error.status, error.code);
}
try {
  AuthRequest.parse({ clientId: "ci" });
} catch (error) {
  if (!AuthError.isAuthError(error)) throw error;
  console.log(error.kind, error.issues.map(({ field }) => field).join());
}

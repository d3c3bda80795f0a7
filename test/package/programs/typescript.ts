import { ApiError, AuthError, AuthRequest, OAuth2Client, type ClientOptions } from "scm-auth";

interface Tag {
  readonly id: string;
  readonly name: string;
}

const options: ClientOptions = { apiUrl: process.env["API_URL"] };
const client = await OAuth2Client.connect(AuthRequest.fromEnv(), options);
const tags = client.session.list<Tag>("/config/objects/v1/tags", { query: { folder: "All" } });
for await (const { name } of tags) console.log(name);

try {
  await client.session.request<Tag>("GET", "/nowhere");
} catch (error) {
  if (!ApiError.isApiError(error)) throw error;
  console.log(error.status, error.code);
}
try {
  AuthRequest.parse({ clientId: "ci" });
} catch (error) {
  if (!AuthError.isAuthError(error)) throw error;
  console.log(error.kind, error.problems.map(({ field }) => field).join());
}

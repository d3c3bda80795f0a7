import { randomUUID } from "node:crypto";

/** An answer of the fake SCM API, its body still an object. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: object;
}

/** A tag as `GET /config/objects/v1/tags` lists it. */
const TAGS = Object.freeze([
  { id: "f2a6a1f0-8d1e-4d0c-9d5b-0a9f3f1c7e11", name: "production", folder: "All", color: "Red" },
  { id: "0c4a3d52-7a2b-4a39-8b53-4f1d6b7a9e22", name: "staging", folder: "All", color: "Blue" },
]);

/** Where the tags are. */
export const TAGS_PATH = "/config/objects/v1/tags";

/**
 * Answers one request as the SCM API would: its lists, its errors, and nothing without a living token.
 *
 * @param target - path and query
 * @param authorised - whether the request bears a token of this server's that lives
 */
export function answerApi(method: string, target: string, authorised: boolean): ApiAnswer {
  const url = new URL(target, "https://api.invalid");
  if (!authorised) return failure(401, "E016", "Authentication failed: the token is missing, unknown or expired");
  if (url.pathname !== TAGS_PATH) return failure(404, "API_I00013", "Your configuration is not valid: no such path");
  if (method !== "GET") return failure(405, "E003", "Method not allowed");
  const folder = url.searchParams.get("folder");
  if (folder === null) return failure(400, "E003", "Missing query parameter: folder");
  const data = folder === "All" ? TAGS : [];
  return { status: 200, body: { data, offset: 0, total: data.length, limit: 200 } };
}

/** An error in the shape that the SCM API gives all of them. */
const failure = (status: number, code: string, message: string): ApiAnswer => ({
  status,
  body: { _errors: [{ code, message, details: {} }], _request_id: randomUUID() },
});

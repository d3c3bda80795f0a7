import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { ApiError, AuthError } from "../../shared/index.ts";
import { createClient, getError, startScripted, type TestClientOptions } from "./client-fixtures.ts";
import type { Script, ScriptedServer } from "./scripted-server.ts";

export const PATH = "/config/objects/v1/tags";

/** Starts a server that signs in and responds to API requests with `other`, and creates a client for it. */
export async function setUp(t: TestContext, other: Script, options: TestClientOptions = {}) {
  const { server, request } = await startScripted(t, { other });
  const client = createClient(request, { apiUrl: server.origin, retryBackoff: 0.001, timeout: 5, ...options });
  return { server, client, session: client.session };
}

/** Returns the requests to the API. */
export const calls = (server: ScriptedServer) => server.requestsTo("other");

export const getApiError = async (work: Promise<unknown>): Promise<ApiError> => {
  const error = await getError(work);
  assert.ok(error instanceof ApiError && ApiError.isApiError(error) && !AuthError.isAuthError(error), String(error));
  return error;
};

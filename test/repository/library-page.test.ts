import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { FIELDS } from "../../shared/auth-request-schema.ts";
import { CLIENT_OPTION_NAMES, resolveOptions } from "../../shared/client-options.ts";
import { AuthError } from "../../shared/errors.ts";
import type { AuthEvent } from "../../shared/events.ts";
import { OAuth2Client } from "../../shared/oauth2-client.ts";
import { inRepository } from "../support/runner-job.ts";
import { getTableRows } from "../support/tables.ts";
import { setVariables } from "../support/variables.ts";

const page = await readFile(inRepository("docs/library.md"), "utf8");

/** Returns the cells of a table without the backticks around their text. */
const getRows = (heading: string): readonly (readonly string[])[] =>
  getTableRows(page, heading).map((cells) => cells.map((cell) => cell.replace(/^`|`$/g, "")));

test("docs/library.md has a row for each field of a request", () => {
  assert.deepEqual(
    getRows("field")
      .map(([name]) => name)
      .sort(),
    [...FIELDS].sort(),
  );
});

test("docs/library.md has the valid values and the default of each option of a client", (t) => {
  setVariables(t, { SCM_API_URL: undefined, SCM_HOST: undefined, SCM_PORT: undefined, SCM_PROTOCOL: undefined });
  const defaults = new Map(Object.entries(resolveOptions({}, OAuth2Client)));
  const getValidValues = (name: string): string => {
    try {
      resolveOptions({ [name]: {} }, OAuth2Client);
    } catch (error) {
      if (AuthError.isAuthError(error)) return error.issues[0]?.message.replace("must be ", "") ?? "";
    }
    return assert.fail(`${name} accepts an object`);
  };
  assert.deepEqual(
    getRows("option").map((cells) => cells.slice(0, 3)),
    CLIENT_OPTION_NAMES.map((name) => [name, getValidValues(name), (defaults.get(name) ?? "none").toString()]),
  );
});

/** The properties of each event. A missing type or property is a type error. */
type EventProperties = {
  readonly [T in AuthEvent["type"]]: Readonly<Record<Exclude<keyof Extract<AuthEvent, { type: T }>, "type">, true>>;
};
const EVENTS: EventProperties = {
  request: { request: true, method: true, url: true, attempt: true, maxAttempts: true },
  connection: { request: true, step: true, durationMs: true, detail: true },
  response: { request: true, status: true, attempt: true, durationMs: true, clockOffsetMs: true },
  retry: { request: true, delayMs: true, attempt: true, maxAttempts: true, error: true },
  token: { scope: true, expiresAt: true },
  error: { error: true },
};

test("docs/library.md names the properties of each event", () => {
  const rows = getRows("type").map(([type, , properties = ""]) => {
    const names = properties.replace(/\(.*?\)/g, "").match(/\w+/g);
    return [type, names];
  });
  assert.deepEqual(
    rows,
    Object.entries(EVENTS).map(([type, properties]) => [type, Object.keys(properties)]),
  );
});

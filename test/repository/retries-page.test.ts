import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { BACKOFF_SCHEDULE, RETRYABLE_STATUS } from "../../shared/http/retry.ts";
import { inRepository } from "../support/runner-job.ts";
import { getTableRows } from "../support/tables.ts";

const page = await readFile(inRepository("docs/retries.md"), "utf8");

test("docs/retries.md names the retried statuses and whether each is transient or overloaded", () => {
  const rows = getTableRows(page, "response").filter(([response = ""]) => /^status [\d, ]+$/.test(response));
  const documented = rows.flatMap(
    ([response = "", type]) => response.match(/\d+/g)?.map((status) => [status, type]) ?? [],
  );
  const actual = Object.entries(RETRYABLE_STATUS).map(([status, entry]) => [status, entry?.type]);
  assert.deepEqual(documented.sort(), actual.sort());
});

test("docs/retries.md has the time limits and the maximum delays of the schedule", () => {
  const rows = getTableRows(page, "attempt").slice(0, BACKOFF_SCHEDULE.length);
  const toMilliseconds = (text = ""): number => Number.parseFloat(text) * 1000;
  assert.deepEqual(
    rows.map(([, limit, , delay]) => ({ attemptTimeout: toMilliseconds(limit), maxDelay: toMilliseconds(delay) })),
    BACKOFF_SCHEDULE,
  );
});

test("docs/from-python.md names the retried statuses", async () => {
  const text = await readFile(inRepository("docs/from-python.md"), "utf8");
  assert.ok(text.includes(`the retried status codes (${Object.keys(RETRYABLE_STATUS).join(", ")})`));
});

import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import { CommandError } from "../../cli/command-error.ts";
import { Terminal } from "../../cli/terminal.ts";
import { AuthError, configError } from "../../shared/errors.ts";
import type { AuthEvent } from "../../shared/events.ts";
import { getErrorPage } from "../../shared/version.ts";

/** Creates a terminal whose stderr is a stream or a terminal with 40 columns. */
function createTerminal({ isTTY = false, hasColors = false } = {}) {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 40, hasColors: () => hasColors });
  const terminal = new Terminal(
    new PassThrough() as unknown as NodeJS.WriteStream,
    stderr as unknown as NodeJS.WriteStream,
  );
  return { terminal, read: (): string => String(stderr.read() ?? "") };
}

const failure = new AuthError("it failed.", { kind: "network", code: "connection_refused", hint: "Wait." });
const retry: AuthEvent = { type: "retry", request: "token", attempt: 1, maxAttempts: 4, delayMs: 1500, error: failure };

test("reports an error as a message, a hint, and a link, and returns the exit status", () => {
  const report = (error: unknown): string => {
    const { terminal, read } = createTerminal();
    const status = terminal.fail(error);
    return `${status} ${read()}`;
  };
  assert.equal(report(new CommandError("no.", { hint: "Do.", exitStatus: 127 })), "127 error: no.\nhint: Do.\n");
  assert.equal(report(new CommandError("no.", { hint: "" })), "1 error: no.\n");
  assert.equal(report(failure), `1 error: ${failure.message}\nhint: Wait.\nsee: ${failure.docs}\n`);
  assert.equal(
    report(configError([{ field: "clientSecret (or SCM_CLIENT_SECRET)", message: "is required", hint: "Set it." }])),
    `2 error: SCM_CLIENT_SECRET, SCM_CLIENT_SECRET_FILE, or --client-secret-file is required.\nhint: Set it.\nsee: ${getErrorPage("invalid_config")}\n`,
  );
  assert.equal(
    report(configError([{ field: "tokenUrl", message: "is invalid", hint: "Fix it." }])),
    `2 error: --token-url is invalid.\nhint: Fix it.\nsee: ${getErrorPage("invalid_config")}\n`,
  );
  assert.match(
    report(new TypeError("the secret is 1234")),
    /^1 error: unexpected failure: TypeError\.\nhint: .+\nsee: .+#internal_error\n$/,
  );
});

test("writes retries in lines of their own if stderr is not a terminal, and shows no progress", () => {
  const { terminal, read } = createTerminal();
  terminal.showProgress("Signing in ...");
  terminal.onEvent(retry);
  terminal.warn("careful.");
  assert.equal(read(), `note: attempt 1 of 4 failed; retrying in 1.5 s. ${failure.message}\nwarning: careful.\n`);
});

test("shows progress in one line of a terminal, which the next output replaces", () => {
  const { terminal, read } = createTerminal({ isTTY: true });
  terminal.showProgress("Signing in ...");
  assert.equal(read(), "\r\u001b[KSigning in ...");
  terminal.onEvent(retry);
  assert.equal(read(), "\r\u001b[Kattempt 1 of 4 failed; retrying in 1.5 ");
  terminal.note("done");
  assert.equal(read(), "\r\u001b[Kdone\n");
});

test("uses colors only on a terminal that has them", () => {
  const { terminal, read } = createTerminal({ isTTY: true, hasColors: true });
  terminal.warn("careful.");
  assert.equal(read(), "\u001b[33mwarning:\u001b[39m careful.\n");
});

test("reports that a result could not be written", async () => {
  for (const [code, reason] of [
    ["EPIPE", "the reader closed the pipe"],
    ["ENOSPC", "ENOSPC"],
  ] as const) {
    const write = (_chunk: unknown, _encoding: unknown, callback: (error: Error) => void): void => {
      callback(Object.assign(new Error(code), { code }));
    };
    const terminal = new Terminal(new Writable({ write }) as unknown as NodeJS.WriteStream, process.stderr);
    const description = `stdout cannot be written: ${reason}.`;
    await assert.rejects(terminal.print("token"), { code: "output_write_failed", description });
    await terminal.flush();
  }
});

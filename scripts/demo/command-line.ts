import { startCommandLine } from "../../test/support/command-line.ts";
import { assertNoSecret } from "../../test/support/secrets.ts";
import type { Terminal } from "./terminal.ts";

/** The token lifetime in seconds. SCM's tokens are valid for 900 seconds. */
const TTL = 6;

const SCRIPT = [
  'first="$(scm-auth token)"',
  'echo "my token: $first"',
  'echo "my secret: $SCM_CLIENT_SECRET, for $SCM_TOKEN_URL"',
  'while [ "$(scm-auth token)" = "$first" ]; do sleep 1; done',
  'echo "my next token: $(scm-auth token)"',
  "exit 3",
];

/**
 * Shows a script that `scm-auth run` runs until its token has been renewed.
 *
 * @returns descriptions of what went wrong
 */
export async function showCommandLine(terminal: Terminal, signal: AbortSignal): Promise<readonly string[]> {
  terminal.heading("The command line, for every other CI system and shell");
  terminal.text(`This script is run with: scm-auth run -- sh script.sh. Tokens are valid for ${TTL} seconds again:`);
  terminal.quote(SCRIPT);
  const cli = await startCommandLine({ ttl: TTL });
  try {
    const script = SCRIPT.join("\n").replaceAll("scm-auth token", "$SCM_AUTH token");
    const { exitCode, stdout, stderr } = await cli.runScript(script, [], { signal, timeoutMs: 60_000 });
    signal.throwIfAborted();
    const { clientSecret, issued } = cli.server;
    assertNoSecret({ stdout, stderr }, [clientSecret, ...issued]);
    terminal.text("This is its output. Both tokens and the secret are masked, and the secret is not the account's:");
    terminal.quote((stdout + stderr).trimEnd().split("\n"));
    const requests = cli.server.countTokenRequests();
    terminal.text(
      `The exit status is ${String(exitCode)}, that of the script. The auth server received ${requests} token requests: all other tokens came from the token server on 127.0.0.1, which ended with the script.`,
    );
    return [
      ...(exitCode === 3 ? [] : [`scm-auth run exited with ${String(exitCode)} instead of 3`]),
      ...(stdout.includes("my next token: ***") ? [] : ["the token was not renewed"]),
    ];
  } finally {
    await cli.close();
  }
}

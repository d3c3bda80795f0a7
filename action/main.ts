import { proxyPasswords } from "../shared/http/proxy.ts";
import { mint } from "../shared/token/prove-token.ts";
import { version } from "../shared/version.ts";
import { reportFailure } from "./failure.ts";
import { closingLine, tellEvent, tellNotices } from "./narrate.ts";
import { outputsOf } from "./outputs.ts";
import { guard } from "./process-guard.ts";
import { readInputs } from "./read-inputs.ts";
import { Runner } from "./runner.ts";

const runner = new Runner();

/** The step: mask, check, sign in and prove, hand out. The order is a contract. */
async function run(signal: AbortSignal): Promise<void> {
  const secret = runner.takeSecret("client-secret", proxyPasswords(process.env));
  runner.say(`scm-auth ${version}`);
  runner.requireOutputs();
  const { request, options } = readInputs(runner, secret);
  tellNotices(runner, request);
  const token = await mint(request, {
    ...options,
    signal,
    redactor: runner.redactor,
    userAgent: `scm-auth/${version}`,
    onToken: (raw) => {
      runner.mask(raw);
    },
    onEvent: (event) => {
      tellEvent(runner, event);
    },
  });
  await runner.flush();
  signal.throwIfAborted();
  for (const [name, value] of Object.entries(outputsOf(token))) runner.output(name, value);
  runner.say(closingLine(token, options));
}

guard(run, (error) => {
  reportFailure(runner, error);
});

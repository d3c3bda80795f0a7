// First: it is at work while the others are loaded.
import { earlySockets } from "./early-sockets.ts";
import { proxyPasswords } from "../shared/http/proxy.ts";
import type { AccessToken } from "../shared/token/access-token.ts";
import { isJws } from "../shared/token/jws.ts";
import { mint, prove, type MintOptions } from "../shared/token/prove-token.ts";
import { userAgent, version } from "../shared/version.ts";
import { EarlyAgent } from "./early-agent.ts";
import { reportFailure } from "./failure.ts";
import { closingLines, tellEvent, tellNotices, type Source, type StepOutcome } from "./narrate.ts";
import { outputsOf, type HandedOut } from "./outputs.ts";
import { guard } from "./process-guard.ts";
import { readInputs, type Order } from "./read-inputs.ts";
import { Runner } from "./runner.ts";

const runner = new Runner();

/** The step: mask, check, sign in and prove, hand out. The order is a contract. */
async function run(signal: AbortSignal): Promise<void> {
  // The early connections are begun when the event loop turns; what follows is work for some hundredths of a second.
  await new Promise(setImmediate);
  const secret = runner.takeSecret("client-secret", proxyPasswords(process.env));
  runner.say(`scm-auth ${version}`);
  runner.requireOutputs();
  const order = readInputs(runner, secret);
  const { request, options } = order;
  tellNotices(runner, request);
  // What few steps need lies in files of its own, loaded when asked for.
  if (order.check) {
    const { runCheck } = await import("./check/run-check.ts");
    await runCheck({ runner, request, options, signal, env: process.env });
    return;
  }
  const handedOut = await obtain(order, signal);
  await runner.flush();
  signal.throwIfAborted();
  for (const [name, value] of Object.entries(outputsOf(handedOut))) runner.output(name, value);
  for (const line of closingLines(handedOut.token, options, handedOut)) runner.say(line);
}

/** The token, by the way that was wished: opened, found or minted, and proved. Each is masked before all else. */
async function obtain(
  { request, options, authFile, sealing }: Order,
  signal: AbortSignal,
): Promise<HandedOut & StepOutcome> {
  const mask = (token: string): void => {
    runner.mask(token);
  };
  const mintOptions: MintOptions = {
    ...options,
    signal,
    redactor: runner.redactor,
    userAgent,
    agent: new EarlyAgent(earlySockets),
    onToken: mask,
    onEvent: (event) => {
      tellEvent(runner, event);
    },
  };
  const proveFound = (token: string): Promise<AccessToken> => {
    // What is none can't be proved, and a planted word as a mask would black out the log.
    if (isJws(token)) mask(token);
    return prove(request, token, mintOptions);
  };
  const part = { runner, request, options, signal, prove: proveFound, env: process.env };
  const seals = sealing && (await import("./sealing/step.ts")).prepareSealing({ ...part, wish: sealing });
  const signIn = async (): Promise<{ readonly token: AccessToken; readonly source: Source }> => {
    const opened = await seals?.open();
    return opened ? { token: opened, source: "sealed" } : { token: await mint(request, mintOptions), source: "minted" };
  };
  const signedIn = authFile
    ? await (await import("./auth-file/step.ts")).keepAuthFile({ ...part, wish: authFile, signIn })
    : await signIn();
  return { ...signedIn, sealedToken: await seals?.seal(signedIn.token, signedIn.source) };
}

guard(run, (error) => {
  reportFailure(runner, error);
});

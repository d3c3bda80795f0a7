import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChaosProxy } from "../support/chaos-proxy.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { runAction } from "../support/run-action.ts";
import { startSilentPort } from "../support/silent-port.ts";
import { TOKEN_PATH } from "../support/scm-auth-server.ts";
import { startScriptedServer, type Script, type ScriptedHandler } from "../support/scripted-server.ts";
import { assertExpected } from "./expectations.ts";
import { CLIENT_ID, issueToken, SECRET, TEST_HOST, tls, TSG_ID, validKeySet } from "./fixtures.ts";
import type { ForHarness, Harness, ProxyOptions, Scenario, ServerOptions, Variables } from "./scenario.ts";

/**
 * Starts the servers of a scenario, runs the action, and checks the result.
 *
 * @throws Error if the result is not as expected, or if a secret leaked
 */
export async function runScenario(scenario: Scenario): Promise<void> {
  const closers: (() => Promise<void>)[] = [];
  try {
    const harness = await startHarness(scenario, (close) => closers.push(close));
    const inputs = withoutUndefined({
      "client-id": CLIENT_ID,
      "client-secret": SECRET,
      "tsg-id": TSG_ID,
      "token-url": harness.origin + TOKEN_PATH,
      "max-retries": "1",
      timeout: "5",
      ...resolve(scenario.inputs ?? {}, harness),
    });
    const env = { ...getProxyVariable(scenario.proxy, harness), ...resolve(scenario.env ?? {}, harness) };
    const { event, debug, closeStdout, allowStderr, secrets = [] } = scenario;
    const run = await runAction({
      ...{ inputs, env, secrets: () => [...secrets, ...harness.issued] },
      ...(event && { event }),
      ...(debug && { debug }),
      ...(closeStdout && { closeStdout }),
      ...(allowStderr && { allowStderr }),
    });
    assertExpected(scenario, { run, harness, inputs });
  } finally {
    await Promise.all(closers.map((close) => close()));
  }
}

async function startHarness(scenario: Scenario, onClose: (close: () => Promise<void>) => void): Promise<Harness> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "scm-auth-scenario-")));
  onClose(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));
  const file = (name: string): string => join(directory, name);
  for (const [name, content] of Object.entries(scenario.files ?? {})) await writeFile(file(name), content);
  const track = <T extends { readonly close: () => Promise<void> }>(started: T): T => {
    onClose(started.close);
    return started;
  };

  const issued: string[] = [];
  const start = ({ token = issueToken(), jwks = validKeySet, tls: certificates }: ServerOptions) =>
    startScriptedServer({ token: recordTokens(token, issued), jwks, ...(certificates && { tls: certificates }) });
  const other = track(await start(scenario.other ?? {}));
  const partial = { file, issued, other } as const;
  const options = resolve(scenario.server ?? {}, partial as unknown as Harness);
  // Behind a proxy, the server has a host name, so it needs TLS.
  const server = track(await start({ ...(scenario.proxy && { tls }), ...options }));
  if (scenario.silentAddress !== undefined)
    await startSilentPort({ after: onClose }, { host: scenario.silentAddress, port: server.port });
  const chaos = scenario.chaos && track(await startChaosProxy(server.port, scenario.chaos));
  const raw = scenario.raw && track(await startRawServer(scenario.raw));
  const port = raw?.port ?? chaos?.port ?? server.port;
  let failures = scenario.proxy?.failures ?? 0;
  const to = (): number | undefined => (failures-- > 0 ? undefined : port);
  const proxy = scenario.proxy && track(await startConnectProxy({ to, ...scenario.proxy }));
  const origin = proxy ? `https://${TEST_HOST}` : server.origin.replace(/\d+$/, String(port));
  return { ...partial, server, chaos, proxy, origin };
}

const resolve = <T extends object>(value: ForHarness<T>, harness: Harness): T =>
  typeof value === "function" ? value(harness) : value;

const withoutUndefined = (variables: Variables): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined));

function getProxyVariable(options: ProxyOptions | undefined, { proxy }: Harness): Variables {
  if (!options || !proxy) return {};
  return { [options.variable ?? "https_proxy"]: options.value?.(proxy) ?? proxy.url };
}

/** Wraps a script so that each token that it sends is added to `issued`. */
function recordTokens(script: Script, issued: string[]): Script {
  const record =
    (handler: ScriptedHandler): ScriptedHandler =>
    async (request) => {
      const response = typeof handler === "function" ? await handler(request) : handler;
      const { access_token: token } = toObject(response.body) as { readonly access_token?: unknown };
      if (typeof token === "string" && token.length >= 8) issued.push(token);
      return response;
    };
  return Array.isArray(script) ? (script as readonly ScriptedHandler[]).map(record) : record(script as ScriptedHandler);
}

function toObject(body: string | Uint8Array | object | undefined): object {
  if (typeof body !== "string") return body ?? {};
  try {
    return (JSON.parse(body.replace(/^\ufeff/, "")) as object | null) ?? {};
  } catch {
    return {};
  }
}

async function startRawServer(onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    onSocket(socket);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((done) => {
        server.close(() => {
          done();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TEST_HOST, giveKeys, giveToken, tls } from "../scenes/cast.ts";
import type { ForStage, ProxyPlan, Scene, ServerPlan, Stage } from "../scenes/scene.ts";
import { startChaosProxy } from "../support/chaos-proxy.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { startScriptedServer, type Script, type ScriptedHandler } from "../support/scripted-server.ts";

/** A stage, what the environment must say to reach it, and the way to take it down. */
export interface BuiltStage {
  readonly stage: Stage;
  readonly env: Readonly<Record<string, string>>;
  readonly clear: () => Promise<void>;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Starts all servers of a scene. */
export async function build(scene: Scene): Promise<BuiltStage> {
  const closers: (() => Promise<unknown>)[] = [];
  const clear = async (): Promise<void> => {
    await Promise.all(closers.map((close) => close()));
  };
  const keep = <T extends { readonly close: () => Promise<unknown> }>(started: T): T => {
    closers.push(started.close);
    return started;
  };
  const folder = await realpath(await mkdtemp(join(tmpdir(), "scm-auth-scene-")));
  closers.push(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  const file = (name: string): string => join(folder, name);
  for (const [name, content] of Object.entries(scene.files ?? {})) await writeFile(file(name), content);

  const served: string[] = [];
  const stage: Partial<Mutable<Stage>> = { file, served, chaos: undefined, proxy: undefined };
  const plan = resolve(scene.server ?? {}, stage as Stage);
  const { token = giveToken, keys = giveKeys } = plan;
  // What comes by TLS through a proxy needs a certificate for the made-up host.
  const certificates = plan.tls ?? (scene.proxy ? tls : undefined);
  const server = keep(await startScriptedServer({ token: noting(token, served), keys, ...tlsOf(certificates) }));
  const { other: { token: otherToken = giveToken, keys: otherKeys = giveKeys, tls: otherTls } = {} } = scene;
  const other = keep(await startScriptedServer({ token: otherToken, keys: otherKeys, ...tlsOf(otherTls) }));
  const chaos = scene.chaos === undefined ? undefined : keep(await startChaosProxy(server.port, scene.chaos));
  const raw = scene.raw && keep(await startRawServer(scene.raw));
  const front = raw?.port ?? chaos?.port ?? server.port;
  let failures = scene.proxy?.failures ?? 0;
  const to = (): number | undefined => (failures-- > 0 ? undefined : front);
  const proxy = scene.proxy && keep(await startConnectProxy({ to, ...scene.proxy }));
  Object.assign(stage, {
    server,
    other,
    chaos,
    proxy,
    origin: proxy ? `https://${TEST_HOST}` : server.origin.replace(/\d+$/, String(front)),
  } satisfies Partial<Stage>);
  return { stage: stage as Stage, env: proxyVariable(scene.proxy, stage as Stage), clear };
}

/** A value that stands in a scene as it is, or is made for its stage. */
export const resolve = <T extends object>(value: ForStage<T>, stage: Stage): T =>
  typeof value === "function" ? value(stage) : value;

const tlsOf = (certificates: ServerPlan["tls"]): Pick<ServerPlan, "tls"> => (certificates ? { tls: certificates } : {});

function proxyVariable(plan: ProxyPlan | undefined, { proxy }: Stage): Readonly<Record<string, string>> {
  if (!plan || !proxy) return {};
  return { [plan.name ?? "https_proxy"]: plan.variable?.(proxy) ?? proxy.url };
}

/** The same script, with the tokens that it gives noted down. */
function noting(script: Script, served: string[]): Script {
  const note =
    (handler: ScriptedHandler): ScriptedHandler =>
    async (request) => {
      const answer = typeof handler === "function" ? await handler(request) : handler;
      const token = tokenIn(answer.body);
      if (token !== undefined) served.push(token);
      return answer;
    };
  return Array.isArray(script) ? (script as readonly ScriptedHandler[]).map(note) : note(script as ScriptedHandler);
}

function tokenIn(body: unknown): string | undefined {
  const { access_token: token } = (typeof body === "string" ? parse(body) : (body ?? {})) as { access_token?: unknown };
  return typeof token === "string" && token !== "" ? token : undefined;
}

function parse(body: string): object {
  try {
    return (JSON.parse(body.replace(/^\ufeff/, "")) as object | null) ?? {};
  } catch {
    return {};
  }
}

async function startRawServer(onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
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

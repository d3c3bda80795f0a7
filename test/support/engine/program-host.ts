import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import { spawn } from "../searched-process.ts";
import type { ProcessOptions } from "./dynamic-process.ts";

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  /** What it wrote on either stream. */
  readonly text: string;
}

export interface ProgramOptions extends ProcessOptions {
  readonly dryRun: boolean;
  /** What answers the program: the two services of the engine. */
  readonly services: { readonly monitor: UntypedServiceImplementation; readonly engine: UntypedServiceImplementation };
  readonly typescript: boolean;
  /** A script that is started in the place of the program host, with the same flags. */
  readonly host: string | undefined;
}

/** A program that hangs is ended, in milliseconds. */
const PATIENCE = 60_000;

/** Runs a program in the real program host, as the Node.js language host of Pulumi does, and serves what it asks for. */
export async function runProgramHost(options: ProgramOptions): Promise<ProgramEnd> {
  const { node, folder, env, dryRun, services, typescript, host } = options;
  const server = new Server();
  server.addService(ResourceMonitorService, services.monitor);
  server.addService(EngineService, services.engine);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  const address = `127.0.0.1:${port}`;
  const script = host ?? createRequire(join(folder, "index.js")).resolve("@pulumi/pulumi/cmd/run");
  const given = { monitor: address, engine: address, project: "project", stack: "dev", parallel: "16", pwd: folder };
  const flags = Object.entries({ ...given, "dry-run": String(dryRun) }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const child = spawn(node, [script, ...flags, "."], {
    cwd: folder,
    env: { ...env, PULUMI_NODEJS_TYPESCRIPT: String(typescript) },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PATIENCE,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  server.forceShutdown();
  return { code, text };
}

import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import { runProcess, type ProcessResult } from "../processes.ts";
import type { StackProcessOptions } from "./provider-process.ts";

/** The two gRPC services that a program calls. */
export interface EngineServices {
  readonly monitor: UntypedServiceImplementation;
  readonly engine: UntypedServiceImplementation;
}

/** Options for running a program. */
export interface ProgramOptions extends StackProcessOptions {
  readonly typescript?: boolean | undefined;
  /** A script that replaces the program host and receives the same flags, as in the Automation API. */
  readonly host?: string | undefined;
}

const PROGRAM_TIMEOUT_MS = 60_000;

/** Runs a program in the real program host of `@pulumi/pulumi`, as Pulumi's language host for Node.js does. */
export async function runProgram(
  { directory, env, node = process.execPath, typescript = false, host }: ProgramOptions,
  isPreview: boolean,
  services: EngineServices,
): Promise<ProcessResult> {
  const { address, close } = await serveEngine(services);
  const script = host ?? createRequire(join(directory, "index.js")).resolve("@pulumi/pulumi/cmd/run");
  const flags = { monitor: address, engine: address, project: "project", stack: "dev", parallel: "16", pwd: directory };
  const args = Object.entries({ ...flags, "dry-run": String(isPreview) }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const result = await runProcess(node, [script, ...args, "."], {
    cwd: directory,
    env: { ...env, PULUMI_NODEJS_TYPESCRIPT: String(typescript) },
    timeoutMs: PROGRAM_TIMEOUT_MS,
  });
  close();
  return result;
}

/** Serves the services on a free port. */
export async function serveEngine({ monitor, engine }: Partial<EngineServices>) {
  const server = new Server();
  if (monitor !== undefined) server.addService(ResourceMonitorService, monitor);
  if (engine !== undefined) server.addService(EngineService, engine);
  const bind = promisify(server.bindAsync.bind(server));
  const address = `127.0.0.1:${await bind("127.0.0.1:0", ServerCredentials.createInsecure())}`;
  return { address, close: server.forceShutdown.bind(server) };
}

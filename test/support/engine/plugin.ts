import { join } from "node:path";
import type { handleUnaryCall } from "@grpc/grpc-js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import { buildPlugin } from "../../../scripts/build/plugin.ts";
import { serveEngine } from "./program-host.ts";
import { link, SDK, writeFiles } from "./project.ts";

/** Installs the plugin, built from the current sources, as `npm install` does. */
export async function installPlugin(directory: string): Promise<string> {
  const files = [...(await buildPlugin())].map(([name, content]) => [name, Buffer.from(content).toString()] as const);
  await writeFiles(directory, Object.fromEntries(files));
  await link(SDK, join(directory, "node_modules/@pulumi/pulumi"));
  return directory;
}

/** The part of the engine that shows the messages of plugins. */
export interface EngineLogServer {
  readonly address: string;
  readonly messages: readonly string[];
  readonly close: () => void;
}

export async function startEngineLog(): Promise<EngineLogServer> {
  const messages: string[] = [];
  const log: handleUnaryCall<LogRequest, object> = ({ request }, callback) => {
    messages.push(request.getMessage());
    callback(null, new empties.Empty());
  };
  const unused: handleUnaryCall<object, object> = (_call, callback) => {
    callback(null, new empties.Empty());
  };
  const others = {
    getRootResource: unused,
    setRootResource: unused,
    startDebugging: unused,
    requirePulumiVersion: unused,
  };
  return { messages, ...(await serveEngine({ engine: { log, ...others } })) };
}

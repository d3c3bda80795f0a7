import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { credentials, type requestCallback, type ServiceError } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as Messages from "@pulumi/pulumi/proto/provider_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import type { JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { spawn } from "../searched-process.ts";
import type { Traffic } from "./traffic.ts";
import { open, type Properties } from "./values.ts";

/** How processes are started. */
export interface ProcessOptions {
  readonly node: string;
  /** The folder of the program: from there everything is looked for. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly traffic: Traffic;
}

/** The real dynamic-provider server, for one phase of an operation. */
export interface DynamicProcess {
  readonly check: (olds: Properties, news: Properties) => Promise<{ inputs: Properties; reasons: readonly string[] }>;
  readonly diff: (id: string, olds: Properties, news: Properties) => Promise<{ changes: boolean; replaces: boolean }>;
  readonly create: (inputs: Properties) => Promise<{ id: string; outputs: Properties }>;
  readonly update: (id: string, olds: Properties, news: Properties) => Promise<Properties>;
  readonly read: (id: string, outputs: Properties) => Promise<Properties>;
  readonly delete: (id: string, outputs: Properties) => Promise<void>;
  /** Ends it as the engine does, and waits. @returns all that it wrote, but for the port */
  readonly stop: () => Promise<string>;
}

const struct = (properties: Properties): Struct =>
  structs.Struct.fromJavaScript(open(properties) as Record<string, JavaScriptValue>);
const plain = (sent: Struct | undefined): Properties => sent?.toJavaScript() ?? {};

/** Starts one. */
export async function startDynamicProcess({ node, folder, env, traffic }: ProcessOptions): Promise<DynamicProcess> {
  const script = createRequire(join(folder, "index.js")).resolve("@pulumi/pulumi/cmd/dynamic-provider");
  const child = spawn(node, [script, "127.0.0.1:1"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  let text = "";
  child.stderr.on("data", (data: Buffer) => (text += data.toString()));
  const port = await new Promise<string>((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (data: Buffer) => {
      out += data.toString();
      const [line, ...rest] = out.split("\n");
      if (rest.length === 0 || line === undefined) return;
      resolve(line);
      text += rest.join("\n");
      out = `${line}\n`;
    });
    child.once("close", () => {
      reject(new Error(`the dynamic-provider process ended: ${text}`));
    });
  });
  const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());

  const call = async <Request extends Messages.CheckRequest | object, Response>(
    name: string,
    request: Request,
    send: (request: Request, callback: requestCallback<Response>) => unknown,
  ): Promise<Response> => {
    traffic.note(`to dynamic: ${name}`, request as never);
    const response = await new Promise<Response>((resolve, reject) => {
      send(request, (error: ServiceError | null, answer?: Response) => {
        if (answer !== undefined) resolve(answer);
        else reject(new Error(error?.details ?? "no answer"));
      });
    });
    traffic.note(`from dynamic: ${name}`, response as never);
    return response;
  };

  const configure = new messages.ConfigureRequest();
  configure.setArgs(struct({}));
  await call("configure", configure, client.configure.bind(client));

  return {
    check: async (olds, news) => {
      const request = new messages.CheckRequest();
      request.setOlds(struct(olds));
      request.setNews(struct(news));
      const answer: Messages.CheckResponse = await call("check", request, client.check.bind(client));
      // With the name of a property the engine prints its value.
      const reasons = answer.getFailuresList().map((failure) => `${failure.getProperty()}${failure.getReason()}`);
      return { inputs: plain(answer.getInputs()), reasons };
    },
    diff: async (id, olds, news) => {
      const request = new messages.DiffRequest();
      request.setId(id);
      request.setOlds(struct(olds));
      request.setNews(struct(news));
      const answer: Messages.DiffResponse = await call("diff", request, client.diff.bind(client));
      const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
      const changes = answer.getChanges();
      if (changes !== DIFF_NONE && changes !== DIFF_SOME) throw new Error("diff left it to the engine to compare");
      return { changes: changes === DIFF_SOME, replaces: answer.getReplacesList().length > 0 };
    },
    create: async (inputs) => {
      const request = new messages.CreateRequest();
      request.setProperties(struct(inputs));
      const answer: Messages.CreateResponse = await call("create", request, client.create.bind(client));
      return { id: answer.getId(), outputs: plain(answer.getProperties()) };
    },
    update: async (id, olds, news) => {
      const request = new messages.UpdateRequest();
      request.setId(id);
      request.setOlds(struct(olds));
      request.setNews(struct(news));
      const answer: Messages.UpdateResponse = await call("update", request, client.update.bind(client));
      return plain(answer.getProperties());
    },
    read: async (id, outputs) => {
      const request = new messages.ReadRequest();
      request.setId(id);
      request.setProperties(struct(outputs));
      const answer: Messages.ReadResponse = await call("read", request, client.read.bind(client));
      return plain(answer.getProperties());
    },
    delete: async (id, outputs) => {
      const request = new messages.DeleteRequest();
      request.setId(id);
      request.setProperties(struct(outputs));
      await call("delete", request, client.delete.bind(client));
    },
    stop: async () => {
      client.close();
      child.kill("SIGINT");
      await ended;
      return text;
    },
  };
}

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { assertNoCanary, tokenCanaries } from "../test/support/canaries.ts";
import { Stack, type Outcome } from "../test/support/engine.ts";
import { npmProject, openWorkbench, writeFiles, type Workbench } from "../test/support/pulumi-project.ts";
import { pulumi, pulumiSurroundings } from "../test/support/pulumi.ts";
import { startScmServer, type ScmServer } from "../test/support/scm-server.ts";
import { missingTool } from "../test/support/tools.ts";
import type { Page } from "./page.ts";

/** What the reader sees of the program. */
const PROGRAM = `const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" });
const token = scmAuth.getAccessTokenOutput({ authFile: auth.path });
token.accessToken.apply(async (it) => pulumi.log.info(await tagsWith(it)));
`;

/** What it needs beside: Pulumi, this package, and one call to the API. */
const PRELUDE = `const pulumi = require("@pulumi/pulumi");
const scmAuth = require("scm-auth/pulumi");
async function tagsWith(token) {
  const url = process.env.API + "/config/objects/v1/tags?folder=All";
  const response = await fetch(url, { headers: { authorization: "Bearer " + token } });
  const { data } = await response.json();
  return "tags in SCM: " + data.map(({ name, color }) => name + " (" + color + ")").join(", ");
}
`;
const TAGS = "tags in SCM: production (Red), staging (Blue)";

/** What one operation came to, whoever performed it. */
interface Seen {
  readonly ok: boolean;
  readonly log: string;
}

/** What performs operations: Pulumi itself, or what stands in for its engine. */
interface Engine {
  /** Who it is, for the reader. */
  readonly introduction: string;
  readonly perform: (operation: "up" | "preview" | "destroy") => Promise<Seen>;
  /** The state as text. */
  readonly state: () => Promise<string>;
}

/**
 * The chapter about Pulumi: an update that makes the file and reads from the API, a preview on a new machine, the end.
 *
 * @returns what did not go as it should
 */
export async function showPulumi(page: Page, signal: AbortSignal): Promise<readonly string[]> {
  page.step("A Pulumi program");
  page.say("It names a file, and that is all: scm-auth/pulumi makes sure that a token lives in it.");
  page.show(PROGRAM.trimEnd().split("\n"));
  const server = await startScmServer();
  const bench = await openWorkbench();
  try {
    return await goThrough(page, { server, bench, signal });
  } finally {
    await bench.remove();
    await server.close();
  }
}

async function goThrough(
  page: Page,
  { server, bench, signal }: { readonly server: ScmServer; readonly bench: Workbench; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const folder = await npmProject(bench, "program", {
    "index.js": PRELUDE + PROGRAM,
    "Pulumi.yaml": "name: program\nruntime: nodejs\n",
    "ca.pem": server.ca,
  });
  const env = {
    NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
    API: server.apiUrl,
    SCM_CLIENT_ID: server.clientId,
    SCM_CLIENT_SECRET: server.clientSecret,
    SCM_TSG_ID: server.tsgId,
    SCM_TOKEN_URL: server.tokenUrl,
  };
  const hasPulumi = (await missingTool(["pulumi", "pulumi-language-nodejs"])) === undefined;
  const engine = hasPulumi ? await realEngine(folder, env) : standIn(folder, env);
  page.say(engine.introduction);

  const logs: string[] = [];
  const step = async (operation: "up" | "preview" | "destroy"): Promise<Seen & { readonly requests: number }> => {
    signal.throwIfAborted();
    const before = server.issued.length;
    const seen = await engine.perform(operation);
    signal.throwIfAborted();
    logs.push(seen.log);
    page.show([`pulumi ${operation}`, ...seen.log.split("\n").map((line) => `  ${line}`)]);
    return { ...seen, requests: server.issued.length - before };
  };
  const up = await step("up");
  const state = await engine.state();
  page.say("A new machine knows the state and has no file. A preview there shows no change:");
  await rm(join(folder, ".scm"), { recursive: true, force: true });
  const preview = await step("preview");
  const destroy = await step("destroy");
  page.say(
    `Token requests: ${up.requests} for the update with its preview, ${preview.requests} for the new machine, ${destroy.requests} for the end. The state holds neither secret nor token.`,
  );
  const secrets = [server.clientSecret, ...server.issued.flatMap(tokenCanaries)];
  assertNoCanary(secrets, { "Pulumi's state": state, "Pulumi's log": logs.join("\n") });
  return [
    ...(up.ok && preview.ok && destroy.ok ? [] : ["an operation of Pulumi failed"]),
    ...(up.log.includes(TAGS) ? [] : ["the program did not read the tags"]),
    ...(/create|update/.test(preview.log) ? ["the preview shows a change"] : []),
    ...(up.requests + preview.requests + destroy.requests === 2 ? [] : ["Pulumi asked for more tokens than two"]),
  ];
}

type Variables = Readonly<Record<string, string>>;

function standIn(folder: string, env: Variables): Engine {
  const stack = new Stack({ folder, env: { PATH: process.env["PATH"], ...env } });
  const said = ({ ok, steps, diagnostics }: Outcome): Seen => {
    const lines = [...new Set([...steps, ...diagnostics.split("\n")])].filter((line) => line !== "");
    return { ok, log: (lines.length === 0 ? ["no change"] : lines).join("\n") };
  };
  return {
    introduction:
      "No pulumi is on PATH, so a stand-in for its engine drives what ships in @pulumi/pulumi: the real program host and the real process for dynamic resources.",
    perform: async (operation) => said(await stack[operation]()),
    state: () => Promise.resolve(stack.openedState),
  };
}

async function realEngine(folder: string, env: Variables): Promise<Engine> {
  const run = async (args: readonly string[]): Promise<Seen> => {
    const { exitCode, log } = await pulumi(args, { folder, env: { ...pulumiSurroundings(folder), ...env } });
    return { ok: exitCode === 0, log };
  };
  await writeFiles(folder, { "state/.keep": "" });
  await run(["stack", "init", "dev"]);
  const args = { up: ["up", "--yes"], preview: ["preview"], destroy: ["destroy", "--yes", "--skip-preview"] };
  return {
    introduction: "pulumi is on PATH, and runs it:",
    perform: async (operation) => {
      const { ok, log } = await run(args[operation]);
      return { ok, log: gistOf(log) };
    },
    state: async () => (await run(["stack", "export", "--show-secrets"])).log,
  };
}

/** What happened to resources, what the program said, and every error; without progress and repetition. */
function gistOf(log: string): string {
  const lines = log.split("\n").map((line) => line.replace(/\(\d[\d.]*m?s\)/g, "").trim());
  const telling = /^(tags in SCM|error)|( created| deleted)$|\d+ (created|deleted|unchanged)$/;
  return [...new Set(lines.filter((line) => telling.test(line)))].join("\n");
}

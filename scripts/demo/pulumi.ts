import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stack, type OperationResult } from "../../test/support/engine.ts";
import { createProject } from "../../test/support/engine/project.ts";
import { startScmServer } from "../../test/support/scm-server.ts";
import { assertNoSecret } from "../../test/support/secrets.ts";
import type { Terminal } from "./terminal.ts";

/** The part of the program that is shown. */
const PROGRAM = `const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" });
const token = scmAuth.getAccessTokenOutput({ authFile: auth.path });
token.accessToken.apply(async (value) => pulumi.log.info(await listTags(value)));
`;

/** The part of the program that is not shown: the imports and one API call. */
const PRELUDE = `const pulumi = require("@pulumi/pulumi");
const scmAuth = require("scm-auth/pulumi");
async function listTags(token) {
  const url = process.env.API + "/config/objects/v1/tags?folder=All";
  const response = await fetch(url, { headers: { authorization: "Bearer " + token } });
  const { data } = await response.json();
  return "tags in SCM: " + data.map(({ name, color }) => name + " (" + color + ")").join(", ");
}
`;
const TAGS = "tags in SCM: production (Red), staging (Blue)";

/**
 * Shows an update that creates the auth file and reads from the API, a preview on a new machine, and a destroy.
 *
 * @returns descriptions of what went wrong
 */
export async function showPulumi(terminal: Terminal, signal: AbortSignal): Promise<readonly string[]> {
  terminal.heading("A Pulumi program");
  terminal.text("The program names a file. scm-auth/pulumi ensures that the file contains a valid token.");
  terminal.quote(PROGRAM.trimEnd().split("\n"));
  terminal.text(
    "The program and its dynamic provider run in the real processes of @pulumi/pulumi. A small stand-in replaces Pulumi's engine.",
  );
  const server = await startScmServer();
  const root = await realpath(await mkdtemp(join(tmpdir(), "scm-auth-demo-")));
  try {
    const directory = await createProject(root, { "index.js": PRELUDE + PROGRAM, "ca.pem": server.ca });
    const stack = new Stack({
      directory,
      env: {
        PATH: process.env["PATH"],
        HOME: root,
        NODE_EXTRA_CA_CERTS: join(directory, "ca.pem"),
        API: server.apiUrl,
        SCM_CLIENT_ID: server.clientId,
        SCM_CLIENT_SECRET: server.clientSecret,
        SCM_TSG_ID: server.tsgId,
        SCM_TOKEN_URL: server.tokenUrl,
      },
    });
    const logs: string[] = [];
    const run = async (operation: "up" | "preview" | "destroy") => {
      signal.throwIfAborted();
      const before = server.issued.length;
      const result = await stack[operation]();
      const log = toLog(result);
      logs.push(...log);
      terminal.quote([`pulumi ${operation}`, ...log.map((line) => `  ${line}`)]);
      return { ...result, log, requests: server.issued.length - before };
    };
    const up = await run("up");
    const state = stack.decryptedState;
    terminal.text("A new machine has the state but not the file. A preview there shows no changes:");
    await rm(join(directory, ".scm"), { recursive: true, force: true });
    const preview = await run("preview");
    const destroy = await run("destroy");
    terminal.text(
      `Token requests: ${up.requests} by the update and its preview, ${preview.requests} on the new machine, ${destroy.requests} by the destroy. The state contains neither the secret nor a token.`,
    );
    assertNoSecret({ state, log: logs.join("\n") }, [server.clientSecret, ...server.issued]);
    const requests = up.requests + preview.requests + destroy.requests;
    return [
      ...(up.ok && preview.ok && destroy.ok ? [] : ["a Pulumi operation failed"]),
      ...(up.log.includes(TAGS) ? [] : ["the program did not read the tags"]),
      ...(preview.steps.length === 0 ? [] : ["the preview shows a change"]),
      ...(requests === 2 ? [] : [`Pulumi sent ${requests} token requests instead of 2`]),
    ];
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 10 });
    await server.close();
  }
}

/** Returns the resource operations and the program's messages, without duplicates. */
function toLog({ steps, diagnostics }: OperationResult): readonly string[] {
  const lines = [...new Set([...steps, ...diagnostics.split("\n")])].filter((line) => line !== "");
  return lines.length === 0 ? ["no changes"] : lines;
}

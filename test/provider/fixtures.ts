import assert from "node:assert/strict";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import { parseAuthFile } from "../../shared/auth-file/format.ts";
import { createCertificates } from "../support/certificates.ts";
import { Stack, type OperationResult } from "../support/engine.ts";
import type { ProgramOptions } from "../support/engine/program-host.ts";
import { createProject } from "../support/engine/project.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "../support/scm-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createSigner } from "../support/tokens.ts";

/** A secret that no server accepts. */
export const WRONG_SECRET = "b0b9a7de-0000-4444-8888-wrong-secret";

const tls = createCertificates();
const signer = await createSigner();
/** The directory that contains all projects of a test file. */
export const root = await realpath(await mkdtemp(join(tmpdir(), "scm-auth-pulumi-")));
/** A file with the CA certificate of all servers. */
export const caFile = join(root, "ca.pem");
await writeFile(caFile, tls.ca);
after(() => rm(root, { recursive: true, force: true, maxRetries: 10 }));

/** Starts a server that is closed after all tests in the file. */
export async function startServer(options: ScmServerOptions = {}): Promise<ScmServer> {
  const server = await startScmServer({ tls, signer, ...options });
  after(server.close);
  return server;
}

/** The environment of a program that signs in to a server. */
export const createEnv = ({ clientId, clientSecret, tokenUrl }: ScmServer): Readonly<Record<string, string>> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: root,
  // Every process of a stack loads the SDK, which is large.
  NODE_COMPILE_CACHE: join(root, "cache"),
  NODE_EXTRA_CA_CERTS: caFile,
  SCM_CLIENT_ID: clientId,
  SCM_CLIENT_SECRET: clientSecret,
  SCM_TOKEN_URL: tokenUrl,
});

/** An environment without credentials. */
export const NO_CREDENTIALS = { SCM_CLIENT_ID: undefined, SCM_CLIENT_SECRET: undefined, SCM_TOKEN_URL: undefined };

/** A stack and the server that it signs in to. */
export interface TestStack {
  readonly server: ScmServer;
  readonly stack: Stack;
  /** The directory of the program. */
  readonly directory: string;
}

/** Options of {@link createStack}. */
export interface TestStackOptions extends Partial<Omit<ProgramOptions, "env" | "onMessage">> {
  readonly server?: ScmServerOptions;
  /** Variables to add to the environment. Undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The start of a CommonJS program. It defines `pulumi` and `scmAuth`. */
const PRELUDE = 'const pulumi = require("@pulumi/pulumi"); const scmAuth = require("scm-auth/pulumi");\n';

/** Starts a server and creates a stack whose program signs in to it. */
export async function createStack(
  name: string,
  program: string,
  { server: serverOptions, env, ...options }: TestStackOptions = {},
): Promise<TestStack> {
  const server = await startServer(serverOptions);
  const directory = options.directory ?? (await createProject(join(root, name), { "index.js": PRELUDE + program }));
  return { server, directory, stack: new Stack({ ...options, directory, env: { ...createEnv(server), ...env } }) };
}

/** Asserts that an operation succeeded, performed exactly the expected steps, and showed no diagnostics. */
export function assertSteps({ ok, steps, diagnostics }: OperationResult, expected: readonly string[]): void {
  assert.deepEqual({ ok, steps, diagnostics }, { ok: true, steps: expected, diagnostics: "" });
}

/** Asserts that an operation succeeded and that neither it nor its preview showed changes. */
export function assertNoChange(result: OperationResult): void {
  assertSteps(result, []);
  assert.deepEqual(result.previewed, []);
}

/** Asserts that the state and all gRPC messages, except those with the program's inputs, contain no secret or token. */
export function assertKeepsSecrets({ stack, server }: TestStack, texts: Readonly<Record<string, string>> = {}): void {
  const messages = stack.getMessages(/^from program: registerResource$|^to provider: check$/);
  assertNoSecret({ state: stack.decryptedState, messages, ...texts }, [server.clientSecret, ...server.issued]);
}

/** Returns the token in an auth file, or undefined if there is none. */
export const readJwt = async (path: string): Promise<string | undefined> =>
  parseAuthFile(await readFile(path, "utf8").catch(() => ""))?.jwt;

/** Returns the nonempty lines of diagnostics. */
export const toLines = (diagnostics: string): readonly string[] =>
  diagnostics.split("\n").filter((line) => line !== "");

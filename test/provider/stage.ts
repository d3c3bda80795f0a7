import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";

import { makeCertificates, type Certificates } from "../support/certificate.ts";
import { assertNoCanary, tokenCanaries } from "../support/canaries.ts";
import { Stack, type StackOptions } from "../support/engine.ts";
import { npmProject, openWorkbench, type Workbench } from "../support/pulumi-project.ts";
import { makeSigningKey, type SigningKey } from "../support/scm-provider.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "../support/scm-server.ts";

/** A server of its own, and a stack that signs in there. */
export interface Scene {
  readonly server: ScmServer;
  readonly stack: Stack;
  /** The program's folder. */
  readonly folder: string;
  /** Token requests that the server has seen. */
  readonly requests: () => number;
}

/** How a scene differs from the usual one. */
export interface SceneOptions extends Partial<Omit<StackOptions, "env">> {
  readonly server?: ScmServerOptions;
  /** Added to the environment, or taken from it where undefined. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What the tests of one file share. */
export class Stage {
  #bench: Workbench | undefined;
  #tls: Certificates | undefined;
  #signingKey: SigningKey | undefined;
  readonly #servers: ScmServer[] = [];

  constructor() {
    before(async () => {
      [this.#bench, this.#tls, this.#signingKey] = await Promise.all([
        openWorkbench(),
        makeCertificates(),
        makeSigningKey(),
      ]);
      await writeFile(this.caFile, this.#tls.ca);
    });
    after(async () => {
      await Promise.all(this.#servers.map((server) => server.close()));
      await this.#bench?.remove();
    });
  }

  get bench(): Workbench {
    if (this.#bench === undefined) throw new Error("the stage opens with the first test");
    return this.#bench;
  }

  /** The path of a file with the certificate that all servers' were signed with. */
  get caFile(): string {
    return join(this.bench.folder, "ca.pem");
  }

  async serve(options: ScmServerOptions = {}): Promise<ScmServer> {
    const { tls = this.#tls, signingKey = this.#signingKey } = options;
    const server = await startScmServer({ ...options, ...(tls && { tls }), ...(signingKey && { signingKey }) });
    this.#servers.push(server);
    return server;
  }

  /** The environment of a program that signs in at a server. */
  envOf({ clientId, clientSecret, tokenUrl }: ScmServer): Readonly<Record<string, string>> {
    return {
      PATH: process.env["PATH"] ?? "",
      HOME: this.bench.folder,
      // The SDK is large, and every process of a stack loads it.
      NODE_COMPILE_CACHE: join(this.bench.folder, "cache"),
      NODE_EXTRA_CA_CERTS: this.caFile,
      SCM_CLIENT_ID: clientId,
      SCM_CLIENT_SECRET: clientSecret,
      SCM_TOKEN_URL: tokenUrl,
    };
  }

  /** A scene with a program in CommonJS, which knows `pulumi` and `scmAuth`. */
  async scene(name: string, program: string, options: SceneOptions = {}): Promise<Scene> {
    const { server: wanted, env, ...more } = options;
    const server = await this.serve(wanted);
    const folder = more.folder ?? (await npmProject(this.bench, name, { "index.js": PRELUDE + program }));
    const stack = new Stack({ ...more, folder, env: { ...this.envOf(server), ...env } });
    return { server, stack, folder, requests: () => tokenRequestsOf(server) };
  }
}

/** What a program of these tests begins with. */
const PRELUDE = 'const pulumi = require("@pulumi/pulumi"); const scmAuth = require("scm-auth/pulumi");\n';

/** Token requests that a server has seen. */
export const tokenRequestsOf = ({ requests }: ScmServer): number =>
  requests.filter(({ method, path }) => method === "POST" && path.endsWith("/access_token")).length;

/** Nothing that a stack leaves anywhere may hold a secret, but for the inputs that a program sends. */
export function assertKeepsSecrets({ stack, server }: Scene, texts: Readonly<Record<string, string>> = {}): void {
  const secrets = [server.clientSecret, ...server.issued.flatMap(tokenCanaries)];
  assertNoCanary(secrets, {
    "the state": stack.openedState,
    // The program sends what its author gave it, and so the engine does to `check`: no further.
    gRPC: stack.traffic.without(/^from program: registerResource$|^to dynamic: check$/),
    ...texts,
  });
}

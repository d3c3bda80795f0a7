import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { assertNoCanary, tokenCanaries } from "../support/canaries.ts";
import { openPulumiPrograms, pulumi, type PulumiPrograms } from "../support/pulumi.ts";
import { TOKEN_PATH } from "../support/scm-provider.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";

/** What one run of `pulumi` came to. */
export interface PulumiRun {
  readonly ok: boolean;
  readonly log: string;
  /** Requests for a token while it ran, whoever made them and whatever was answered. */
  readonly requests: number;
}

type Variables = Readonly<Record<string, string>>;

/** A program on the real engine, in a network of its own. */
export class RealStack {
  readonly folder: string;
  readonly network: ScmNetwork;
  readonly #env: Variables;
  /** Every log so far. */
  readonly #logs: string[] = [];

  constructor(folder: string, network: ScmNetwork, env: Variables) {
    this.folder = folder;
    this.network = network;
    this.#env = env;
  }

  /** All that nobody may see. */
  get secrets(): readonly string[] {
    const { clientSecret, issued } = this.network.server;
    return [clientSecret, ...issued.flatMap(tokenCanaries)];
  }

  /** Runs `pulumi`, with these variables beside those of the network. */
  async run(args: readonly string[], env: Variables = this.#env): Promise<PulumiRun> {
    const before = this.#asked();
    const { exitCode, log } = await pulumi(args, { folder: this.folder, env: { ...this.network.env, ...env } });
    this.#logs.push(log);
    return { ok: exitCode === 0, log, requests: this.#asked() - before };
  }

  /** As `run`, of what must go well. */
  async succeed(args: readonly string[], env?: Variables): Promise<PulumiRun> {
    const run = await this.run(args, env);
    assert.ok(run.ok, run.log);
    return run;
  }

  /** How often the API changed something at a path. */
  calls(method: string, path: string): number {
    const { requests } = this.network.server;
    return requests.filter((one) => one.method === method && one.path.startsWith(path) && one.status < 300).length;
  }

  /** Looks for secrets in all that Pulumi wrote: logs, state, backups, history, plans and settings. */
  async assertKeepsSecrets(): Promise<void> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const written = paths.filter((path) => !/[/\\](node_modules|\.scm|\.npm)[/\\]/.test(path));
    assert.ok(
      written.some((path) => /[/\\]history[/\\]/.test(path)) && written.some((path) => path.includes("stacks")),
    );
    const texts = await Promise.all(written.map(async (path) => [path, await readFile(path, "latin1")] as const));
    assert.ok(
      texts.some(([, text]) => text.includes("__provider")),
      "the state can be read",
    );
    assertNoCanary(this.secrets, { ...Object.fromEntries(texts), "the logs": this.#logs.join("\n") });
  }

  #asked(): number {
    return this.network.server.requests.filter(({ method, path }) => method === "POST" && path === TOKEN_PATH).length;
  }
}

/** What the tests of real Pulumi share. */
export class PulumiStage {
  #programs: PulumiPrograms | undefined;
  readonly #networks: ScmNetwork[] = [];

  async open(): Promise<void> {
    this.#programs = await openPulumiPrograms();
  }

  async close(): Promise<void> {
    await Promise.all(this.#networks.map((network) => network.close()));
    await this.#programs?.remove();
  }

  /**
   * A stack without resources.
   *
   * @param files - of its program, as for `PulumiPrograms`; a text is `index.js`
   * @param ttl - life of its tokens, in seconds
   */
  async stack(name: string, files: string | Variables | URL, ttl?: number): Promise<RealStack> {
    if (this.#programs === undefined) throw new Error("the stage is not open");
    const network = await startScmNetwork(ttl === undefined ? {} : { ttl });
    this.#networks.push(network);
    const folder = await this.#programs.make(name, typeof files === "string" ? { "index.js": files } : files);
    const stack = new RealStack(folder, network, credentialsOf(network));
    await stack.succeed(["stack", "init", "dev"]);
    return stack;
  }
}

/** The account of a network's server, as variables. */
export const credentialsOf = ({ server }: ScmNetwork): Variables => ({
  SCM_CLIENT_ID: server.clientId,
  SCM_CLIENT_SECRET: server.clientSecret,
  SCM_TSG_ID: server.tsgId,
});

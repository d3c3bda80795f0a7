import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";
import { bundleTypes } from "../../scripts/build/types.ts";
import { installPlugin } from "./engine/plugin.ts";
import { createProject, link, SDK, writeFiles } from "./engine/project.ts";
import type { NetworkJobs } from "./network-jobs.ts";
import { runProcess, type ProcessResult } from "./processes.ts";
import { assertNoSecret } from "./secrets.ts";

/** The programs that tests with the real Pulumi need on PATH. */
export const PULUMI: readonly string[] = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-scm"];

/** Those that tests of YAML programs need. The plugin of scm-auth runs on Node. */
export const PULUMI_YAML: readonly string[] = [...PULUMI, "pulumi-language-yaml"];

type Variables = Readonly<Record<string, string>>;

/** The part of `@pulumi/scm` that the tests use. Users generate it with `pulumi package add`. */
const SCM_SDK: Variables = {
  "package.json": '{ "name": "@pulumi/scm", "version": "1.0.0", "main": "index.js", "types": "index.d.ts" }\n',
  "index.js": `"use strict";
const pulumi = require("@pulumi/pulumi");
exports.Provider = class extends pulumi.ProviderResource {
  constructor(name, args, opts) { super("scm", name, args, opts); }
};
exports.Tag = class extends pulumi.CustomResource {
  constructor(name, args, opts) {
    super("scm:index/tag:Tag", name, { color: undefined, comments: undefined, folder: undefined, name: undefined, ...args }, opts);
  }
};
exports.Address = class extends pulumi.CustomResource {
  constructor(name, args, opts) {
    super("scm:index/address:Address", name, { folder: undefined, ipNetmask: undefined, name: undefined, tags: undefined, ...args }, opts);
  }
};
`,
  "index.d.ts": `import * as pulumi from "@pulumi/pulumi";
type Args = Record<string, pulumi.Input<string> | pulumi.Input<pulumi.Input<string>[]>>;
export declare class Provider extends pulumi.ProviderResource {
  constructor(name: string, args?: { authFile?: pulumi.Input<string> }, opts?: pulumi.ResourceOptions);
}
export declare class Tag extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  constructor(name: string, args?: Args, opts?: pulumi.CustomResourceOptions);
}
export declare class Address extends pulumi.CustomResource {
  constructor(name: string, args?: Args, opts?: pulumi.CustomResourceOptions);
}
`,
};

/** The plugin that tests install, instead of one from a Git tag. */
const PLUGIN_PATH = "plugins:\n  providers:\n    - name: scm-auth\n      path: ../plugin\n";

/** The result of a command, and the number of token requests that it made. */
export interface PulumiResult extends ProcessResult {
  readonly tokenRequests: number;
}

/** A program with a stack named `dev` that runs on the real engine and stores its state in the program's directory. */
export class PulumiStack {
  readonly directory: string;
  readonly jobs: NetworkJobs;
  readonly #logs: string[] = [];

  private constructor(directory: string, jobs: NetworkJobs) {
    this.directory = directory;
    this.jobs = jobs;
  }

  /** @param program - the text of `index.js`, files by name, or a directory that contains all files */
  static async create(directory: string, jobs: NetworkJobs, program: string | Variables | URL): Promise<PulumiStack> {
    const projectFile = { "Pulumi.yaml": "name: project\nruntime: nodejs\n" };
    const files = typeof program === "string" ? { "index.js": program } : program;
    if (files instanceof URL) await cp(files, directory, { recursive: true });
    const packageJson = files instanceof URL ? await readFile(join(directory, "package.json"), "utf8") : "{}";
    await createProject(directory, {
      "package.json": packageJson,
      ...(files instanceof URL ? {} : { ...projectFile, ...files }),
    });
    if (files instanceof URL) {
      const types = await bundleTypes("provider/index.ts", ["@pulumi/"]);
      await writeFiles(join(directory, "node_modules/scm-auth/dist/pulumi"), types);
    }
    await writeFiles(join(directory, "node_modules/@pulumi/scm"), SCM_SDK);
    return new PulumiStack(directory, jobs).#init();
  }

  /**
   * Creates a stack that uses the plugin, in another language.
   *
   * @param files - files by name, or a directory that contains all files
   */
  static async createWithPlugin(directory: string, jobs: NetworkJobs, files: Variables | URL): Promise<PulumiStack> {
    if (files instanceof URL) await cp(files, directory, { recursive: true });
    else await writeFiles(directory, files);
    await installPlugin(join(directory, "../plugin"));
    const stack = new PulumiStack(directory, jobs);
    await stack.setProgram(await readFile(join(directory, "Pulumi.yaml"), "utf8"));
    return stack.#init();
  }

  /** Creates a stack whose program can use both the npm package and the plugin. */
  static async createWithProject(directory: string, jobs: NetworkJobs, files: Variables): Promise<PulumiStack> {
    await createProject(directory, files);
    await writeFiles(join(directory, "node_modules/@pulumi/scm"), SCM_SDK);
    return PulumiStack.createWithPlugin(directory, jobs, files);
  }

  /**
   * Creates a stack with a program in TypeScript that uses the plugin, and the SDK that Pulumi generates for it.
   *
   * @param program - the text of `index.ts`
   */
  static async createWithSdk(directory: string, jobs: NetworkJobs, program: string): Promise<PulumiStack> {
    const projectFile = "name: project\nruntime: nodejs\n";
    const compilerOptions = { module: "nodenext", strict: true, skipLibCheck: true, types: ["node"] };
    const tsconfig = JSON.stringify({ compilerOptions });
    const files = { "Pulumi.yaml": projectFile, "index.ts": program, "tsconfig.json": tsconfig };
    const stack = await PulumiStack.createWithProject(directory, jobs, files);
    await link(join(SDK, "../../@types"), join(directory, "node_modules/@types"));
    const args = ["package", "gen-sdk", "../plugin/schema.json", "--local", "--language", "nodejs", "--out", "sdk"];
    await stack.succeed(args);
    const sdk = join(directory, "node_modules/@pulumi/scm-auth");
    await cp(join(directory, "sdk/nodejs"), sdk, { recursive: true });
    // The script that `npm install` runs in the SDK does the same.
    await cp(join(sdk, "package.json"), join(sdk, "bin/package.json"));
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    for (const cwd of [sdk, directory]) {
      const { exitCode, log } = await runProcess(process.execPath, [tsc, "-p", "."], { cwd });
      assert.equal(exitCode, 0, log);
    }
    return stack;
  }

  /** Changes Pulumi.yaml of a stack that uses the plugin. The packages are found elsewhere. */
  async setProgram(program: string): Promise<void> {
    const withoutPackages = program.replace(/^packages:\n( .*\n)+/m, "");
    await writeFile(join(this.directory, "Pulumi.yaml"), withoutPackages + PLUGIN_PATH);
  }

  async #init(): Promise<PulumiStack> {
    await mkdir(join(this.directory, "state"));
    await this.succeed(["stack", "init", "dev"]);
    return this;
  }

  /** The credentials for the network's server. */
  get credentials(): Variables {
    const { clientId, clientSecret, tsgId } = this.jobs.network.server;
    return { SCM_CLIENT_ID: clientId, SCM_CLIENT_SECRET: clientSecret, SCM_TSG_ID: tsgId };
  }

  /** The environment for Pulumi. It keeps all requests and the state on this machine. */
  get env(): Variables {
    return {
      PATH: process.env["PATH"] ?? "",
      HOME: this.directory,
      PULUMI_BACKEND_URL: `file://${this.directory}/state`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // Pulumi's processes communicate over loopback, and those that run on Node read only this spelling.
      no_proxy: "127.0.0.1",
      ...this.jobs.network.env,
    };
  }

  /** Runs `pulumi`, by default with the credentials in its environment. */
  async run(args: readonly string[], env: Variables = this.credentials): Promise<PulumiResult> {
    const { server } = this.jobs.network;
    const before = server.countTokenRequests();
    const result = await runProcess("pulumi", [...args, "--non-interactive", "--color=never"], {
      cwd: this.directory,
      env: { ...this.env, ...env },
      timeoutMs: 180_000,
    });
    this.#logs.push(result.log);
    return { ...result, tokenRequests: server.countTokenRequests() - before };
  }

  async succeed(args: readonly string[], env?: Variables): Promise<PulumiResult> {
    const result = await this.run(args, env);
    assert.equal(result.exitCode, 0, result.log);
    return result;
  }

  /**
   * Searches everything that Pulumi wrote for secrets: logs, state, backups, history, plans, and settings.
   *
   * @param marker - a text in the state
   */
  async assertNoSecrets(marker = "__provider"): Promise<void> {
    const entries = await readdir(this.directory, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const written = paths.filter((path) => !/[/\\](node_modules|\.scm|\.npm)[/\\]/.test(path));
    const texts = await Promise.all(written.map(async (path) => [path, await readFile(path, "latin1")] as const));
    assert.ok(texts.some(([path]) => path.includes("stacks")) && texts.some(([, text]) => text.includes(marker)));
    const { clientSecret, issued } = this.jobs.network.server;
    assertNoSecret({ ...Object.fromEntries(texts), logs: this.#logs.join("\n") }, [clientSecret, ...issued]);
  }
}

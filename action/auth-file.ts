import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { access, readdir } from "node:fs/promises";
import { dirname, isAbsolute, join, parse, relative, resolve } from "node:path";
import { hasMinRemaining, type AccessToken } from "../shared/access-token.ts";
import { resolveAuthFilePath } from "../shared/auth-file/ensure-auth-file.ts";
import { authFileError } from "../shared/auth-file/file-operation.ts";
import { createAuthFileContent, PLACEHOLDER_SECRET, serializeAuthFile } from "../shared/auth-file/format.ts";
import { ensurePrivateDirectory } from "../shared/auth-file/private-directory.ts";
import { isUpToDate, readAuthFile, type ExistingAuthFile } from "../shared/auth-file/read-auth-file.ts";
import { readPrivateFile, removeManagedFile, writeFileAtomic } from "../shared/auth-file/safe-files.ts";
import type { AuthRequest } from "../shared/auth-request.ts";
import type { Seconds } from "../shared/clock.ts";
import { configError } from "../shared/errors.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { defaultCACertificates } from "../shared/http/tls.ts";
import type { SignInContext } from "../shared/sign-in.ts";
import { STATE } from "./auth-file-cleanup.ts";
import { environmentWarnings } from "./env-warnings.ts";
import type { AuthFileInput } from "./inputs.ts";
import type { Source } from "./log.ts";
import { identifyProcess } from "./refresher/job-monitor.ts";
import { getFingerprint, parseIfOwn } from "./refresher/managed-file.ts";
import { spawnRefresher } from "./refresher/spawn.ts";
import type { Runner } from "./runner.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What the step provides for its auth file. */
export interface AuthFileContext {
  readonly runner: Runner;
  readonly context: SignInContext;
  readonly inputs: { readonly authFile: AuthFileInput; readonly minTtl: Seconds | undefined };
  readonly env: Env;
  readonly limits: RequestLimits;
  /** Returns an unsealed or new token. Masks it. */
  readonly signIn: () => Promise<{ readonly token: AccessToken; readonly source: Source }>;
  /** For tests. Default: the bundle. */
  readonly refresherScript?: string;
}

/** The auth file of a step. */
export interface StepAuthFile {
  /** Absolute. */
  readonly path: string;
  readonly token: AccessToken;
  readonly source: Source;
  /** Whether a background process refreshes the file: of this step, or of an earlier one. */
  readonly isRefreshed: boolean;
}

/** Terraform and OpenTofu read `var.scm_auth_file` from it. */
const TERRAFORM_VARIABLE = "TF_VAR_scm_auth_file";
const GIT_TIMEOUT_MS = 3000;

/**
 * Writes the auth file: with the token of an existing file if it is valid for long enough, otherwise after a sign-in.
 * With `keep-fresh`, a background process writes and refreshes it.
 *
 * @throws AuthError
 */
export async function writeAuthFile(step: AuthFileContext): Promise<StepAuthFile> {
  const { runner, context, inputs, env, limits } = step;
  const { authRequest, clock } = context;
  const { keepFresh } = inputs.authFile;
  const path = resolvePath(inputs.authFile.path, authRequest, env);
  for (const warning of environmentWarnings(env, authRequest)) runner.warning(warning);
  await logLocation(runner, path, env);
  const trustedDir = env["RUNNER_TEMP"];
  const warnings = await ensurePrivateDirectory(path, { trustedDir, limits: { clock, ...limits } });
  for (const warning of warnings) runner.warning(warning);
  await warnIfNotIgnored(runner, path);

  const jobId = getJobId(env);
  const existing = await readAuthFile(context, path, limits, { jobId });
  if (existing.reason !== undefined) runner.debug(`Not reusing the existing auth file: ${existing.reason.message}`);
  const { token, source } = await getToken(step, existing);
  if (existing.server !== undefined) {
    if (!keepFresh) runner.info("An earlier step already refreshes this auth file; keep-fresh: false has no effect.");
    // Its refresher writes the file, and its post step removes it.
    await update(step, { path, token, existing });
  } else if (keepFresh) {
    await startRefresher(step, { path, token, jobId });
  } else {
    const { clientId, scope } = authRequest;
    saveState(runner, path, getFingerprint({ clientId, scope, clientSecret: PLACEHOLDER_SECRET }));
    if (!(await update(step, { path, token, existing })))
      throw authFileError(path, "was changed by another process", "auth_file_in_use");
    runner.saveState(STATE.isWritten, "true");
  }
  exportTerraformVariable(runner, path, env);
  return { path, token, source, isRefreshed: keepFresh || existing.server !== undefined };
}

async function getToken(
  { context, inputs, signIn }: AuthFileContext,
  { token }: ExistingAuthFile,
): Promise<{ readonly token: AccessToken; readonly source: Source }> {
  if (token !== undefined && hasMinRemaining(token, inputs.minTtl, context.clock))
    return { token, source: "auth-file" };
  return signIn();
}

interface UpdateOptions {
  readonly path: string;
  readonly token: AccessToken;
  readonly existing: ExistingAuthFile;
}

/** Writes the token and the server of an existing file. Returns false if the file was changed since it was read. */
async function update({ context, limits }: AuthFileContext, options: UpdateOptions): Promise<boolean> {
  const { path, token, existing } = options;
  const { authRequest, clock } = context;
  const { file, server } = existing;
  if (file !== undefined && isUpToDate(context, file, token, server)) return true;
  const text = serializeAuthFile(createAuthFileContent(authRequest, token, clock, server));
  const shouldReplace = async (): Promise<boolean> => (await readPrivateFile(path))?.text === file?.text;
  return writeFileAtomic(path, text, { shouldReplace, limits: { clock, ...limits } });
}

interface RefresherOptions {
  readonly path: string;
  readonly token: AccessToken;
  readonly jobId: string;
}

async function startRefresher(step: AuthFileContext, { path, token, jobId }: RefresherOptions): Promise<void> {
  const { runner, context, env, limits } = step;
  const { authRequest, verify, clock } = context;
  const { clientId, clientSecret, scope, tokenUrl, jwksUrl, issuer, ca } = authRequest;
  const jobSecret = randomBytes(32).toString("base64url");
  runner.mask(jobSecret);
  await runner.flush();
  const fingerprint = getFingerprint({ clientId, scope, clientSecret: jobSecret });
  // Before the file exists: the post step also runs if this step is canceled.
  saveState(runner, path, fingerprint);
  try {
    const refresher = await spawnRefresher(
      step.refresherScript ?? join(import.meta.dirname, "refresher.cjs"),
      {
        authRequest: { clientId, clientSecret, scope, tokenUrl: tokenUrl.href, jwksUrl: jwksUrl.href, issuer, ca },
        roots: ca === undefined ? undefined : defaultCACertificates(),
        verify,
        token: {
          value: token.value,
          expiresAt: token.expiresAt?.getTime(),
          remaining: token.remaining(clock),
          lifetime: token.lifetime,
          scope: token.scope,
        },
        path,
        jobSecret,
        jobId,
        parent: identifyProcess(process.ppid),
      },
      { env, limits },
    );
    const { pid = 0, startedAt = "" } = refresher.process ?? {};
    runner.saveState(STATE.refresher, `${pid} ${startedAt}`);
    runner.saveState(STATE.isWritten, "true");
  } catch (error) {
    await removeManagedFile(path, (text) => parseIfOwn(text, fingerprint) !== undefined).catch(() => false);
    throw error;
  }
}

function saveState(runner: Runner, path: string, fingerprint: string): void {
  runner.saveState(STATE.path, path);
  runner.saveState(STATE.fingerprint, fingerprint);
}

/**
 * The absolute path of the auth file. By default it is directly in RUNNER_TEMP, which the runner clears between jobs: a
 * subdirectory that root creates in a container could not be cleared. Its name is different for each identity.
 */
export function resolvePath(input: AuthFileInput["path"], request: AuthRequest, env: Env): string {
  if (input !== true) return resolveAuthFilePath(input);
  const temp = env["RUNNER_TEMP"] ?? "";
  if (temp !== "") return join(resolve(temp), `scm-auth-${getIdentityHash(request)}.json`);
  const hint = "Set auth-file to a path in a directory that only the user of the job can write to.";
  throw configError([{ field: "authFile", message: "cannot be true: RUNNER_TEMP is not set", hint }]);
}

const getIdentityHash = ({ tokenUrl, clientId, scope }: AuthRequest): string =>
  createHash("sha256")
    .update(JSON.stringify([tokenUrl.href, clientId, scope]))
    .digest("hex")
    .slice(0, 12);

const isInside = (directory: string, path: string): boolean => {
  const rest = relative(resolve(directory), path);
  return rest !== "" && !rest.startsWith("..") && !isAbsolute(rest);
};

/** Logs what could happen to a file outside RUNNER_TEMP. */
async function logLocation(runner: Runner, path: string, env: Env): Promise<void> {
  const { RUNNER_TEMP: temp = "", GITHUB_WORKSPACE: workspace = "" } = env;
  if (temp !== "" && isInside(temp, path)) return;
  const message = `The auth file (${path}) is outside RUNNER_TEMP. The post step removes it, but does not run if the runner crashes.`;
  if (env["RUNNER_ENVIRONMENT"] === "github-hosted") runner.info(message);
  else runner.warning(message);
  if (workspace === "" || !isInside(workspace, path)) return;
  const entries = await readdir(workspace).catch((): readonly string[] | undefined => undefined);
  if (entries?.length === 0)
    runner.warning(
      "The auth file is in the workspace, which is still empty. If actions/checkout follows, it deletes the file: run it before this step.",
    );
}

/** Warns about a file that `git add --all` would commit. Without git there is no warning. */
async function warnIfNotIgnored(runner: Runner, path: string): Promise<void> {
  const root = await findWorkTree(dirname(path));
  if (root === undefined) return;
  const name = relative(root, path).replaceAll("\\", "/");
  // Not in the workspace: Windows would run a git.exe there.
  const options = { cwd: parse(root).root, timeout: GIT_TIMEOUT_MS, windowsHide: true };
  const args = ["-C", root, "-c", "core.fsmonitor=false", "check-ignore", "--quiet", "--", name];
  const exitCode = await new Promise<unknown>((resolve) => {
    execFile("git", args, options, (error) => {
      resolve(error?.code);
    });
  });
  // 0 is ignored, 1 not ignored, all others are errors.
  if (exitCode !== 1) return;
  runner.warning(`git does not ignore the auth file, so it could be committed. Add this line to .gitignore: /${name}`);
}

async function findWorkTree(directory: string): Promise<string | undefined> {
  const exists = await access(join(directory, ".git")).then(
    () => true,
    () => false,
  );
  if (exists) return directory;
  const parent = dirname(directory);
  return parent === directory ? undefined : findWorkTree(parent);
}

/** The runner sets RUNNER_TRACKING_ID to a new value for each job. */
const JOB_VARIABLES = ["RUNNER_TRACKING_ID", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "RUNNER_NAME"];

/** Identifies the job. */
const getJobId = (env: Env): string =>
  createHash("sha256")
    .update(JSON.stringify(JOB_VARIABLES.map((name) => env[name] ?? "")))
    .digest("hex");

function exportTerraformVariable(runner: Runner, path: string, env: Env): void {
  const current = env[TERRAFORM_VARIABLE] ?? "";
  if (current === "") runner.exportVariable(TERRAFORM_VARIABLE, path);
  else if (current !== path)
    runner.warning(
      `${TERRAFORM_VARIABLE} is already set to another auth file and was not changed. Pass this one with the auth-file output.`,
    );
}

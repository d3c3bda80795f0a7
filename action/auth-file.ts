import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { hasMinRemaining, type AccessToken } from "../shared/access-token.ts";
import { resolveAuthFilePath } from "../shared/auth-file/ensure-auth-file.ts";
import { PLACEHOLDER_SECRET, type TokenServerAddress } from "../shared/auth-file/format.ts";
import { getGitWarnings } from "../shared/auth-file/git-ignore.ts";
import { ensurePrivateDirectory } from "../shared/auth-file/private-directory.ts";
import { readAuthFile, updateAuthFile } from "../shared/auth-file/read-auth-file.ts";
import { authFileError, readPrivateFile, removeManagedFile } from "../shared/auth-file/safe-files.ts";
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
import { getDigest, getFingerprint, parseIfOwn } from "../shared/auth-file/managed-file.ts";
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
  /** Returns an unsealed or new token that is already masked. */
  readonly signIn: () => Promise<{ readonly token: AccessToken; readonly source: Source }>;
  /** The path of the refresher script, set only in tests. Default: the bundled script. */
  readonly refresherScript?: string;
}

/** The auth file of a step. */
export interface StepAuthFile {
  /** The absolute path. */
  readonly path: string;
  readonly token: AccessToken;
  readonly source: Source;
  /** Whether a background process started by this step or an earlier one refreshes the file. */
  readonly isRefreshed: boolean;
  /** The token server of that process. */
  readonly server: TokenServerAddress | undefined;
}

/** The environment variable from which Terraform and OpenTofu read `var.scm_auth_file`. */
const TERRAFORM_VARIABLE = "TF_VAR_scm_auth_file";
/** Variables that together identify the job. The runner sets RUNNER_TRACKING_ID to a new value for each job. */
const JOB_VARIABLES = ["RUNNER_TRACKING_ID", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "RUNNER_NAME"];

/**
 * Writes the auth file. The token in an existing file is reused if it is valid for long enough. If not, the step signs
 * in. With `keep-fresh`, a background process writes and refreshes it.
 *
 * @throws AuthError
 */
export async function writeAuthFile(step: AuthFileContext): Promise<StepAuthFile> {
  const { runner, context, inputs, env, limits, signIn } = step;
  const { authRequest, clock } = context;
  const { keepFresh } = inputs.authFile;
  const path = resolvePath(inputs.authFile.path, authRequest, env);
  for (const warning of environmentWarnings(env, authRequest)) runner.warning(warning);
  await logLocation(runner, path, env);
  const warnings = await ensurePrivateDirectory(path, limits, env["RUNNER_TEMP"]);
  for (const warning of [...warnings, ...(await getGitWarnings(path, limits))]) runner.warning(warning);

  const jobId = getDigest(...JOB_VARIABLES.map((name) => env[name] ?? ""));
  const existing = await readAuthFile(context, path, limits, { jobId });
  if (existing.reason !== undefined) runner.debug(`Not reusing the existing auth file: ${existing.reason.message}`);
  const reused = existing.token && hasMinRemaining(existing.token, inputs.minTtl, clock) ? existing.token : undefined;
  const { token, source } = reused ? { token: reused, source: "auth-file" as const } : await signIn();
  let server: TokenServerAddress | undefined = existing.server;
  if (server !== undefined) {
    runner.mask(server.clientSecret);
    if (!keepFresh) runner.info("An earlier step already refreshes this auth file; keep-fresh: false has no effect.");
    // The refresher of the earlier step keeps the file up to date, and the post step of that step removes it.
    await updateAuthFile(context, path, existing, token, limits);
  } else if (keepFresh) {
    server = await startRefresher(step, path, token, jobId);
  } else {
    const { clientId, scope } = authRequest;
    saveState(runner, path, getFingerprint({ clientId, scope, clientSecret: PLACEHOLDER_SECRET }));
    if (!(await updateAuthFile(context, path, existing, token, limits))) {
      // Another step may have just written the file. If it contains a valid token, nothing is written.
      const changed = await readAuthFile(context, path, limits, { jobId });
      if (!(await updateAuthFile(context, path, changed, changed.token ?? token, limits)))
        throw authFileError(path, "was changed by another process", "auth_file_in_use");
    }
    runner.saveState(STATE.isWritten, "true");
  }
  exportTerraformVariable(runner, path, env);
  return { path, token, source, isRefreshed: keepFresh || existing.server !== undefined, server };
}

/** Starts the background process. Returns its token server, or undefined if the file has been removed already. */
async function startRefresher(
  step: AuthFileContext,
  path: string,
  token: AccessToken,
  jobId: string,
): Promise<TokenServerAddress | undefined> {
  const { runner, context, env, limits } = step;
  const { authRequest, verify, clock } = context;
  const { clientId, scope, ca } = authRequest;
  const { value, lifetime, scope: granted, signingKey } = token;
  const [expiresAt, remaining] = [token.expiresAt?.getTime(), token.remaining(clock)];
  const jobSecret = randomBytes(32).toString("base64url");
  runner.mask(jobSecret);
  await runner.flush();
  const fingerprint = getFingerprint({ clientId, scope, clientSecret: jobSecret });
  // Save the state before the file exists, because the post step also runs if this step is canceled.
  saveState(runner, path, fingerprint);
  try {
    const refresher = await spawnRefresher(
      step.refresherScript ?? join(import.meta.dirname, "refresher.cjs"),
      {
        authRequest: authRequest.toInput(),
        roots: ca === undefined ? undefined : defaultCACertificates(),
        verify,
        token: { value, expiresAt, remaining, lifetime, scope: granted, signingKey },
        path,
        jobSecret,
        jobId,
        parent: identifyProcess(process.ppid),
      },
      { env, limits },
    );
    const { pid = 0, startedAt = "" } = refresher ?? {};
    runner.saveState(STATE.refresher, `${pid} ${startedAt}`);
    runner.saveState(STATE.isWritten, "true");
    return parseIfOwn((await readPrivateFile(path, limits))?.text ?? "", fingerprint);
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
 * Returns the absolute path of the auth file. By default, the file is directly in RUNNER_TEMP, which the runner clears
 * between jobs. If root created a subdirectory in a container, the runner could not clear it. The file name is
 * different for each identity.
 */
export function resolvePath(input: AuthFileInput["path"], request: AuthRequest, env: Env): string {
  if (input !== true) return resolveAuthFilePath(input, "authFile");
  const temp = env["RUNNER_TEMP"] ?? "";
  const { tokenUrl, clientId, scope } = request;
  const id = getDigest(tokenUrl.href, clientId, scope).slice(0, 12);
  if (temp !== "") return join(resolve(temp), `scm-auth-${id}.json`);
  const hint = "Set auth-file to a path in a directory that only the user of the job can write to.";
  throw configError([{ field: "authFile", message: "cannot be true: RUNNER_TEMP is not set", hint }]);
}

const isInside = (directory: string, path: string): boolean => {
  const rest = relative(resolve(directory), path);
  return rest !== "" && !rest.startsWith("..") && !isAbsolute(rest);
};

/** Logs what may happen to a file outside RUNNER_TEMP. */
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
      "The auth file is in the workspace, which is still empty. If actions/checkout runs later, it deletes the file: run it before this step.",
    );
}

function exportTerraformVariable(runner: Runner, path: string, env: Env): void {
  const current = env[TERRAFORM_VARIABLE] ?? "";
  if (current === "") runner.exportVariable(TERRAFORM_VARIABLE, path);
  else if (current !== path)
    runner.warning(
      `${TERRAFORM_VARIABLE} is already set to another auth file and was not changed. Pass this one with the auth-file output.`,
    );
}

import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { systemClock } from "../../shared/clock.ts";
import { makeSureOfAuthFile } from "../../shared/handoff/auth-file.ts";
import { PLACEHOLDER, type Endpoint } from "../../shared/handoff/auth-file-format.ts";
import { askEndpoint } from "../../shared/handoff/found-endpoint.ts";
import { loopbackUrl } from "../../shared/handoff/loopback-url.ts";
import { trustedRoots } from "../../shared/http/tls.ts";
import type { AccessToken } from "../../shared/token/access-token.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";
import { watchable } from "../keeper/job-watch.ts";
import { startKeeper, type StartedKeeper } from "../keeper/start.ts";
import type { Source } from "../narrate.ts";
import type { AuthFileWish, StepOptions } from "../parse-inputs.ts";
import type { Runner } from "../runner.ts";
import { KEPT, OWNERSHIP, PATH, STOOD } from "./kept-for-post.ts";
import { ownershipOf } from "./ownership.ts";
import { placeOf } from "./place.ts";
import { warningsOf } from "./surroundings.ts";

/** What the step lends to its auth file. */
export interface AuthFilePart {
  readonly runner: Runner;
  readonly request: AuthRequest;
  readonly options: StepOptions;
  readonly wish: AuthFileWish;
  readonly signal: AbortSignal;
  /** Signs in, or opens a sealed token. Masks the token. */
  readonly signIn: () => Promise<{ readonly token: AccessToken; readonly source: Source }>;
  /** Proves a token that was found. Masks it first. */
  readonly prove: (token: string) => Promise<AccessToken>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A step's auth file as it stands. */
export interface StepAuthFile {
  readonly path: string;
  readonly token: AccessToken;
  readonly source: Source;
  /** Whether somebody keeps it fresh: this step's keeper, or that of a step before. */
  readonly kept: boolean;
}

/** The variable that Terraform and OpenTofu take `var.scm_auth_file` from. */
const TERRAFORM_VARIABLE = "TF_VAR_scm_auth_file";

/**
 * Makes sure of the auth file, with a keeper behind it unless one is not wanted or there already. A file outlives this
 * step, so what post needs to remove it is kept before there is one.
 *
 * @throws AuthError
 */
export async function keepAuthFile(part: AuthFilePart): Promise<StepAuthFile> {
  const { runner, request, options, wish, env, signal } = part;
  const { path, isTemporary } = placeOf(wish.path, request, env["RUNNER_TEMP"]);
  for (const warning of warningsOf(env, request)) runner.warning(warning);
  if (!isTemporary) {
    runner.warning(
      `The auth file lies outside the runner's temporary folder (${path}): only this action's post step removes it, and none runs when the runner itself breaks off.`,
    );
  }
  const job = jobDigest(env);
  let keeper: StartedKeeper | undefined;
  let source: Source = "file";
  // Before anything lies beside it: post sweeps there, also when this step is cut off.
  runner.keepForPost(PATH, path);
  if (!wish.keepFresh) keepOwnership(runner, request, PLACEHOLDER);
  try {
    const made = await makeSureOfAuthFile(
      {
        request,
        path,
        verify: options.verify,
        timeout: options.timeout,
        job,
        trustedFolder: env["RUNNER_TEMP"],
        signal,
        minTtl: options.minTtl,
      },
      {
        mint: async () => {
          const signedIn = await part.signIn();
          ({ source } = signedIn);
          return signedIn.token;
        },
        prove: part.prove,
        askEndpoint: (entry) => askEndpoint(entry, { clock: systemClock, signal }),
        ...(wish.keepFresh && {
          serve: async (token: AccessToken): Promise<Endpoint> => {
            const jobSecret = randomBytes(32).toString("base64url");
            runner.mask(jobSecret);
            await runner.flush();
            keepOwnership(runner, request, jobSecret);
            keeper = await startKeeper(
              join(import.meta.dirname, "keeper.cjs"),
              orderOf(part, { path, token, jobSecret, job }),
              env,
            );
            return { authUrl: loopbackUrl(keeper.port), clientSecret: jobSecret };
          },
        }),
      },
    );
    await keeper?.release();
    runner.keepForPost(STOOD, "true");
    for (const warning of made.warnings) runner.warning(warning);
    if (made.foundEndpoint) {
      // It is that step's to take away.
      runner.keepForPost(PATH, "");
      if (!wish.keepFresh)
        runner.say("A step before keeps this auth file fresh; that goes on, whatever keep-fresh says here.");
    }
    nameForTerraform(runner, made.path, env);
    return { path: made.path, token: made.token, source, kept: made.endpoint !== undefined };
  } catch (error) {
    keeper?.abandon();
    throw error;
  }
}

/** Keeps what tells the file that is written now from every other. */
function keepOwnership(runner: Runner, { clientId, scope }: AuthRequest, clientSecret: string): void {
  runner.keepForPost(OWNERSHIP, ownershipOf({ clientId, scope, clientSecret }));
  runner.keepForPost(KEPT, String(clientSecret !== PLACEHOLDER));
}

function orderOf(
  { request, options }: AuthFilePart,
  { path, token, jobSecret, job }: { path: string; token: AccessToken; jobSecret: string; job: string },
) {
  const { clientId, clientSecret, scope, tokenUrl, jwksUrl, ca } = request;
  return {
    request: { clientId, clientSecret, scope, tokenUrl: tokenUrl.href, jwksUrl: jwksUrl.href, ca },
    roots: ca === undefined ? undefined : trustedRoots(),
    verify: options.verify,
    token: {
      value: token.value,
      expiresAt: token.expiresAt?.getTime(),
      lifetime: token.lifetime,
      life: token.life,
      scope: token.scope,
    },
    path,
    jobSecret,
    job,
    watched: watchable(process.ppid),
  };
}

/** What tells this job from every other. The tracking id is the runner's own, drawn for each job. */
const JOB_VARIABLES = ["RUNNER_TRACKING_ID", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "RUNNER_NAME"];

const jobDigest = (env: AuthFilePart["env"]): string =>
  createHash("sha256")
    .update(JSON.stringify(JOB_VARIABLES.map((name) => env[name] ?? "")))
    .digest("hex");

function nameForTerraform(runner: Runner, path: string, env: AuthFilePart["env"]): void {
  const named = env[TERRAFORM_VARIABLE] ?? "";
  if (named === "") runner.exportVariable(TERRAFORM_VARIABLE, path);
  else if (named !== path)
    runner.warning(
      `${TERRAFORM_VARIABLE} names another auth file already, and is left as it is: give this one to its steps by the output auth-file.`,
    );
}

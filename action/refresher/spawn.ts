import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { delimiter, parse, resolve } from "node:path";
import { systemClock, type Milliseconds } from "../../shared/clock.ts";
import { abortedError, AuthError } from "../../shared/errors.ts";
import type { RequestLimits } from "../../shared/http/request-context.ts";
import type { ProcessId } from "../../shared/process-id.ts";
import { identifyProcess } from "./job-monitor.ts";
import type { RefresherConfig, RefresherReply } from "./run.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Startup usually takes 0.2 s but may take much longer on a machine that runs many jobs. */
const START_TIMEOUT: Milliseconds = 15_000;

/**
 * Variables to pass on: the locations of programs and directories, the settings for proxies and certificates, and the
 * ID by which the runner finds the process later.
 */
const ENV_ALLOWLIST =
  /^(PATH|SYSTEMROOT|WINDIR|TEMP|TMP|TMPDIR|(HTTPS?|NO)_PROXY|NODE_USE_SYSTEM_CA|RUNNER_TEMP|RUNNER_TRACKING_ID)$/i;
/**
 * Variables that contain paths. The paths must be absolute because the refresher has a different working directory.
 * `SSL_CERT_DIR` may contain several paths.
 */
const PATH_VARIABLES = [
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "OPENSSL_CONF",
  "OPENSSL_MODULES",
] as const;

/**
 * Node options that determine how the auth server is reached, how its responses are parsed, and which certificates and
 * algorithms are accepted.
 */
const NETWORK_FLAG =
  /^--(tls-(max|min)-v1\.\d|tls-cipher-list|dns-result-order|(no-)?network-family-autoselection|network-family-autoselection-attempt-timeout|openssl-(config|shared-config|legacy-provider)|(enable|force)-fips|max-http-header-size|insecure-http-parser|use-(system|openssl|bundled)-ca)$/;
/**
 * Limits V8's memory for new objects, in MiB. By default, the limit grows: after a thousand renewals, a process that
 * checks a file four times per second would use 190 MiB instead of 12 MiB.
 */
const HEAP_FLAG = "--max-semi-space-size=2";
/** Disables the debugger that SIGUSR1 starts even before the refresher's code runs. */
const DEBUGGER_FLAG = "--disable-sigusr1";

/**
 * Starts the background process and waits until it has written the auth file. Neither its arguments nor its environment
 * contain a secret.
 *
 * @param script - the path of the refresher bundle
 * @throws AuthError that says why the file could not be written, or with the code `refresher_failed`
 */
export async function spawnRefresher(
  script: string,
  config: RefresherConfig,
  { env = process.env, limits }: { readonly env?: Env; readonly limits: RequestLimits },
): Promise<ProcessId | undefined> {
  const child = startProcess(script, env);
  try {
    const reply = await getReply(child, config, limits);
    if (reply.error !== undefined) throw new AuthError(reply.error.description, reply.error);
    return identifyProcess(child.pid ?? 0);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function startProcess(script: string, env: Env): ChildProcess {
  const networkFlags = getNetworkFlags(process.execArgv, env["NODE_OPTIONS"]);
  try {
    return spawn(process.execPath, [...getProcessFlags(), ...networkFlags, script], {
      // The root directory always exists, and using it does not keep the workspace from being removed.
      cwd: parse(process.execPath).root,
      env: getEnvironment(env),
      detached: true,
      windowsHide: true,
      // The runner waits for processes that hold an inherited pipe.
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
  } catch (error) {
    // With `--permission`, Node does not start child processes.
    throw refresherError("the background process could not be started", error);
  }
}

/** Returns the flags for memory and debugging that this version of Node supports. Node 20 would exit otherwise. */
export const getProcessFlags = (
  supported: Pick<ReadonlySet<string>, "has"> = process.allowedNodeEnvironmentFlags,
): readonly string[] => [HEAP_FLAG, ...(supported.has(DEBUGGER_FLAG) ? [DEBUGGER_FLAG] : [])];

/** Returns the environment of the refresher. Relative paths become absolute. */
export function getEnvironment(env: Env): Record<string, string | undefined> {
  const paths = PATH_VARIABLES.flatMap((name) => {
    const value = env[name];
    if (value === undefined || value === "") return [];
    const absolute = (name === "SSL_CERT_DIR" ? value.split(delimiter) : [value]).map((path) => resolve(path));
    return [[name, absolute.join(delimiter)] as const];
  });
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => ENV_ALLOWLIST.test(name))),
    ...Object.fromEntries(paths),
    // Node passes this variable on unless the environment contains it.
    NODE_V8_COVERAGE: undefined,
  };
}

/**
 * Returns the network flags from Node's arguments and from NODE_OPTIONS, each as a single argument. Paths become
 * absolute.
 */
export function getNetworkFlags(execArgv: readonly string[], nodeOptions = ""): readonly string[] {
  const args = [...splitOptions(nodeOptions), ...execArgv];
  return args.flatMap((arg, at) => {
    const [, name = "", inline] = /^([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    // Node also accepts underscores.
    const flag = name.replaceAll("_", "-");
    if (!NETWORK_FLAG.test(flag)) return [];
    const value = inline ?? args[at + 1] ?? "-";
    // No value follows: the next argument is another flag.
    if (inline === undefined && value.startsWith("-")) return [flag];
    return [`${flag}=${flag === "--openssl-config" ? resolve(value) : value}`];
  });
}

/**
 * Splits NODE_OPTIONS at spaces, as Node does. Double quotes group characters, and a backslash within quotes escapes
 * the next character.
 */
const splitOptions = (options: string): readonly string[] =>
  (options.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/gs) ?? []).map((arg) =>
    arg.replace(/"((?:\\.|[^"\\])*)"/gs, (_, quoted: string) => quoted.replace(/\\(.)/gs, "$1")),
  );

const refresherError = (reason: string, cause?: unknown): AuthError =>
  new AuthError(`the auth file cannot be refreshed: ${reason}.`, { kind: "file", code: "refresher_failed", cause });

/** Sends the configuration and waits for the reply. */
async function getReply(
  child: ChildProcess,
  config: RefresherConfig,
  { deadline, signal = new AbortController().signal }: RequestLimits,
): Promise<RefresherReply> {
  const timeoutMs = Math.max(0, Math.min(START_TIMEOUT, deadline - systemClock.monotonic()));
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  // A failure to send a message or to kill the process also emits an error event. If the process has exited, the exit
  // event reports it.
  child.on("error", () => undefined);
  const exit = once(child, "exit").then(([code, signalName]: (string | number | null)[]) => {
    throw refresherError(`the background process exited (${signalName ?? `code ${code ?? "unknown"}`})`);
  });
  const message = once(child, "message", { signal: AbortSignal.any([signal, timeout]) });
  child.send(config, () => undefined);
  try {
    const [reply] = (await Promise.race([message, exit])) as [RefresherReply];
    return reply;
  } catch (error) {
    if (signal.aborted) throw abortedError(signal.reason);
    if (timeout.aborted)
      throw refresherError(`the background process did not start within ${Math.round(timeoutMs / 1000)} s`);
    throw AuthError.isAuthError(error) ? error : refresherError("the background process could not be started", error);
  }
}

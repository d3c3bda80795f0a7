import { spawn, type ChildProcess } from "node:child_process";
import { parse } from "node:path";
import { systemClock, type Milliseconds } from "../../shared/clock.ts";
import { handoffError } from "../../shared/handoff/handoff-error.ts";
import type { AuthError } from "../../shared/report/errors.ts";
import { FILE_STANDS, frameOrder, type KeeperAnswer, type KeeperOrder } from "./order.ts";

/** A keeper that listens, and waits to hear that the file stands. */
export interface StartedKeeper {
  readonly port: number;
  /** Tells it so, and lets go of it. @throws AuthError when it has died */
  release(): Promise<void>;
  /** Lets go of it without: it ends. */
  abandon(): void;
}

/** It loads and listens in a tenth of a second; a long apply would die half-way without it. */
const PATIENCE: Milliseconds = 5000;

/** What a keeper needs of the environment: where things are, how to reach the server, and what finds it at the end. */
const PASSED_ON =
  /^(PATH|SYSTEMROOT|WINDIR|TEMP|TMP|TMPDIR|(HTTPS?|NO)_PROXY|NODE_EXTRA_CA_CERTS|NODE_USE_SYSTEM_CA|SSL_CERT_FILE|SSL_CERT_DIR|OPENSSL_CONF|RUNNER_TEMP|RUNNER_TRACKING_ID)$/i;
/** Flags of node's that say whom it trusts. */
const TRUST_FLAG = /^--use-(system|openssl|bundled)-ca$/;
/**
 * V8's room for young objects, in MiB. By itself it doubles again and again, and a keeper that looks at a file four
 * times a second takes 190 MiB after a thousand renewals where 12 are alive (`npm run soak`).
 */
const STAY_SMALL = "--max-semi-space-size=2";

/**
 * Starts the background process. Its environment holds neither inputs nor tokens of the runner, and the secret goes
 * through its standard input.
 *
 * @param script - the keeper's own bundle
 * @throws AuthError when it does not listen in time
 */
export async function startKeeper(
  script: string,
  order: KeeperOrder,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<StartedKeeper> {
  const child = spawnKeeper(script, env);
  try {
    const port = await listening(child, order);
    return {
      port,
      release: () =>
        new Promise((resolve, reject) => {
          child.send(FILE_STANDS, (error) => {
            letGo(child);
            const lives = error === null && child.exitCode === null && child.signalCode === null;
            if (lives) resolve();
            else reject(cannotKeep("the background process died"));
          });
        }),
      abandon: () => {
        letGo(child);
      },
    };
  } catch (error) {
    child.kill("SIGKILL");
    letGo(child);
    throw error;
  }
}

function spawnKeeper(script: string, env: Readonly<Record<string, string | undefined>>): ChildProcess {
  const flags = [...process.execArgv, ...(env["NODE_OPTIONS"] ?? "").split(/\s+/)];
  const args = [STAY_SMALL, ...shutInspector(), ...new Set(flags.filter((flag) => TRUST_FLAG.test(flag))), script];
  try {
    return spawn(process.execPath, args, {
      // Not the workspace: a folder that a process stands in can't be removed everywhere. And one that is always there.
      cwd: parse(process.execPath).root,
      env: {
        ...Object.fromEntries(Object.entries(env).filter(([name]) => PASSED_ON.test(name))),
        // Node hands this one on by itself, unless it is named.
        NODE_V8_COVERAGE: undefined,
      },
      detached: true,
      windowsHide: true,
      // An inherited pipe would make the runner wait for its end.
      stdio: ["pipe", "ignore", "ignore", "ipc"],
    });
  } catch (cause) {
    // Thrown where node itself may not (--permission); what the system refuses comes as an event.
    throw cannotKeep(NOT_STARTED, cause);
  }
}

/** Node 20 refuses the flag; there the keeper's own listener has to do. */
const shutInspector = (): readonly string[] =>
  process.allowedNodeEnvironmentFlags.has("--disable-sigusr1") ? ["--disable-sigusr1"] : [];

function letGo(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  child.stdin?.destroy();
  child.unref();
}

const NOT_STARTED = "the background process could not be started";
const cannotKeep = (why: string, cause?: unknown): AuthError =>
  handoffError(`the auth file can't be kept fresh: ${why}.`, "keeper_failed", { cause });

/** Sends the order and waits for the port. */
function listening(child: ChildProcess, order: KeeperOrder): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      callOff();
      reject(cannotKeep(why));
    };
    const callOff = systemClock.after(PATIENCE, () => {
      fail(`the background process did not answer within ${PATIENCE / 1000} s`);
    });
    child.once("error", () => {
      fail(NOT_STARTED);
    });
    child.once("exit", () => {
      fail("the background process ended at once");
    });
    child.once("message", (answer: KeeperAnswer) => {
      if ("failed" in answer) {
        fail(answer.failed);
        return;
      }
      callOff();
      resolve(answer.port);
    });
    // A keeper that died is told by its exit.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(frameOrder(order));
  });
}

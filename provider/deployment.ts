import * as pulumi from "@pulumi/pulumi";
import { holdProcess, sleep, systemClock, type Milliseconds } from "../shared/clock.ts";
import { AuthFiles, type ProviderState } from "./auth-files.ts";
import { formatError } from "./error-message.ts";
import { ServiceAccounts } from "./service-accounts.ts";

/** The state of one engine operation. A program that uses the Automation API can run several operations. */
export interface Deployment extends ProviderState {
  /** The errors by message. The SDK logs an error only once if it is the same object each time. */
  readonly errors: Map<string, pulumi.RunError>;
}

/** The engine as the SDK sees it: a gRPC client, or the mocks of a unit test. */
type Monitor = object & { readonly getChannel?: () => { readonly getConnectivityState: (connect: boolean) => number } };

/** States of a gRPC channel (`connectivityState` of @grpc/grpc-js): idle and ready. */
const CONNECTED_STATES: ReadonlySet<number | undefined> = new Set([0, 2]);

const deployments = new WeakMap<object, Deployment>();
/** The key for a program that runs without an engine and only calls functions. */
const NO_ENGINE = {};
/**
 * The delay of an error. The SDK lists the program's directory between running the program and reading its exports. If
 * an exported output were rejected before, Node would print PromiseRejectionHandledWarning.
 */
const ERROR_DELAY: Milliseconds = 200;

const getMonitor = (): Monitor | undefined => pulumi.runtime.getMonitor();

/** Returns the deployment that the running code belongs to. */
export function getDeployment(): Deployment {
  const monitor = getMonitor();
  const known = deployments.get(monitor ?? NO_ENGINE);
  if (known !== undefined) return known;
  const files = new AuthFiles(monitor && (() => isConnected(monitor)));
  const deployment = { accounts: new ServiceAccounts(), files, errors: new Map<string, pulumi.RunError>() };
  deployments.set(monitor ?? NO_ENGINE, deployment);
  return deployment;
}

/**
 * Whether this is a unit test with `pulumi.runtime.setMocks`, in which nothing is read, written, or requested. The SDK
 * has no flag for this, but in such a test its monitor contains the mocks.
 */
export function isMocked(): boolean {
  const monitor = getMonitor();
  return monitor !== undefined && "mocks" in monitor;
}

/** Whether the engine is still connected. Reconnects an idle channel. */
const isConnected = (monitor: Monitor): boolean =>
  CONNECTED_STATES.has(monitor.getChannel?.().getConnectivityState(true));

/**
 * Runs `work` for the program and keeps the process alive until it settles.
 *
 * @throws pulumi.RunError with the two lines of {@link formatError}
 */
export async function runForProgram<T>(deployment: Deployment, work: () => Promise<T>): Promise<T> {
  try {
    return await holdProcess(work());
  } catch (error) {
    await sleep(systemClock, ERROR_DELAY);
    throw toRunError(error, deployment);
  }
}

/**
 * Returns an error that ends the program with the two lines of {@link formatError} and without a stack trace. If it is
 * thrown while an input is being resolved, the resource is not registered. The SDK adds a prefix to the message each
 * time such an error passes through an input. To prevent this, assigning to `message` has no effect.
 */
export function toRunError(failure: unknown, { errors }: Deployment): pulumi.RunError {
  const message = formatError(failure);
  const known = errors.get(message);
  if (known !== undefined) return known;
  const error = new pulumi.RunError(message);
  error.stack = message;
  Object.defineProperty(error, "message", { get: () => message, set: () => undefined });
  errors.set(message, error);
  return error;
}

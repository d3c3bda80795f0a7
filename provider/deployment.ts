import * as pulumi from "@pulumi/pulumi";
import { holdProcess } from "../shared/clock.ts";
import { AuthFiles, type ProviderState } from "./auth-files.ts";
import { formatError } from "./error-message.ts";
import { ServiceAccounts } from "./service-accounts.ts";

/** The state of one operation of the engine. A program of the Automation API can run several. */
export interface Deployment extends ProviderState {
  /** By message. The SDK logs an error once if it is the same object each time. */
  readonly errors: Map<string, pulumi.RunError>;
}

/** The engine as the SDK sees it: a gRPC client, or the mocks of a unit test. */
type Monitor = object & { readonly getChannel?: () => { readonly getConnectivityState: (connect: boolean) => number } };

/** States of a gRPC channel (`connectivityState` of @grpc/grpc-js): idle and ready. */
const CONNECTED_STATES: ReadonlySet<number | undefined> = new Set([0, 2]);

const deployments = new WeakMap<object, Deployment>();
/** The key of a program that runs without an engine and only calls functions. */
const NO_ENGINE = {};

const getMonitor = (): Monitor | undefined => pulumi.runtime.getMonitor();

/** The deployment of the code that runs now. */
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
 * Whether this is a unit test with `pulumi.runtime.setMocks`, where nothing is read, written or requested. The SDK has no
 * flag for it, but its monitor then contains the mocks.
 */
export function isMocked(): boolean {
  const monitor = getMonitor();
  return monitor !== undefined && "mocks" in monitor;
}

/** Whether the engine is still there. Reconnects an idle channel. */
const isConnected = (monitor: Monitor): boolean =>
  CONNECTED_STATES.has(monitor.getChannel?.().getConnectivityState(true));

/**
 * Runs `work` for the program, which does not end meanwhile.
 *
 * @throws pulumi.RunError with the two lines of {@link formatError}
 */
export async function runForProgram<T>(deployment: Deployment, work: () => Promise<T>): Promise<T> {
  try {
    return await holdProcess(work());
  } catch (error) {
    throw toRunError(error, deployment);
  }
}

/**
 * The error that ends the program with the two lines of {@link formatError} and without a stack trace. It can be thrown
 * inside an input: then the resource is not registered. The SDK prefixes the message of such an error each time it
 * passes an input, so writing to the message has no effect.
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

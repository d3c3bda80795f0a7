import * as pulumi from "@pulumi/pulumi";
import { Accounts } from "../sign-in/account.ts";
import { AuthFiles } from "../sign-in/auth-files.ts";

/** What belongs to one operation of the engine. A program of the Automation API lives through several. */
export interface Deployment {
  readonly accounts: Accounts;
  readonly files: AuthFiles;
}

/** The engine as the SDK knows it: a gRPC client, or what stands in for it in a unit test. */
type Monitor = object & { readonly getChannel?: () => { readonly getConnectivityState: (connect: boolean) => number } };

/** States of a gRPC channel (`connectivityState` of @grpc/grpc-js): idle and ready. */
const LIVING: ReadonlySet<number | undefined> = new Set([0, 2]);

const deployments = new WeakMap<object, Deployment>();
/** Without an engine: a program that only calls functions. */
const none = {};

const monitor = (): Monitor | undefined => pulumi.runtime.getMonitor();

/** The deployment that the code which runs now belongs to. */
export function deployment(): Deployment {
  const engine = monitor();
  let found = deployments.get(engine ?? none);
  if (found === undefined) {
    found = { accounts: new Accounts(), files: new AuthFiles(engine && listenerOf(engine)) };
    deployments.set(engine ?? none, found);
  }
  return found;
}

/**
 * Whether this is a unit test by `pulumi.runtime.setMocks`: then nothing may be read, written or asked for. No flag
 * says so, but the engine's stand-in holds the mocks.
 */
export function isMocked(): boolean {
  const engine = monitor();
  return engine !== undefined && "mocks" in engine;
}

/** Tells whether an engine still listens. A channel that fell asleep is woken up: without an engine it won't be ready. */
function listenerOf(engine: Monitor): () => boolean {
  const weak = new WeakRef(engine);
  return () => {
    return LIVING.has(weak.deref()?.getChannel?.().getConnectivityState(true));
  };
}

import * as pulumi from "@pulumi/pulumi";
import type { Properties } from "../custom-resources/custom-resource.ts";

const { isRpcSecret, specialSecretSig, specialSigKey, unwrapRpcSecret } = pulumi.runtime;

/** Marks a value as a secret, in the form that providers and the engine exchange. */
export const toSecret = (value: unknown): Properties => ({ [specialSigKey]: specialSecretSig, value });

/** Returns a value without marks of secrets, at any depth. */
export function unwrapSecrets(value: unknown): unknown {
  if (isRpcSecret(value)) return unwrapSecrets(unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map(unwrapSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, unwrapSecrets(part)]));
}

/** Marks those properties that were received as secrets, or that are listed in `names`. */
export const markSecrets = (received: Properties, properties: Properties, names: readonly string[] = []): Properties =>
  Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      name,
      isRpcSecret(received[name]) || names.includes(name) ? toSecret(value) : value,
    ]),
  );

import * as pulumi from "@pulumi/pulumi";
import { failureText } from "../sign-in/failure-text.ts";

/** The same failure is the same error, since the program host tells each one once. */
const told = new WeakMap<object, pulumi.RunError>();

/**
 * A failure that ends the program with two lines: what happened, and what to do. It may be thrown inside of an input,
 * which then settles, and the resource is not registered: the SDK would put a text of its own before the message of
 * such an error, so that it is written once and for all.
 */
export function runError(failure: unknown): pulumi.RunError {
  if (pulumi.RunError.isInstance(failure)) return failure;
  const key = typeof failure === "object" && failure !== null ? failure : {};
  const known = told.get(key);
  if (known !== undefined) return known;
  const text = failureText(failure);
  const error = new pulumi.RunError(text);
  error.stack = text;
  Object.defineProperty(error, "message", { get: () => text, set: () => undefined, configurable: true });
  told.set(key, error);
  return error;
}

import type { Field, FieldNames } from "../shared/report/fields.ts";

/** One input of the action. */
export interface Input {
  readonly field: Field;
  readonly required?: true;
  readonly default?: string;
}

/** THE table of inputs: action.yml and the README's table are generated from it (`npm run generate`). */
export const inputs = Object.freeze({
  "client-id": {
    field: "clientId",
    required: true,
  },
  "client-secret": {
    field: "clientSecret",
    required: true,
  },
  "tsg-id": {
    field: "tsgId",
  },
  scope: {
    field: "scope",
  },
  "token-url": {
    field: "tokenUrl",
    default: "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token",
  },
  "jwks-url": {
    field: "jwksUrl",
  },
  verify: {
    field: "verify",
    default: "true",
  },
  "ca-cert": {
    field: "ca",
  },
  "max-retries": {
    field: "maxRetries",
    default: "9",
  },
  timeout: {
    field: "timeout",
    default: "240",
  },
  "auth-file": {
    field: "authFile",
    default: "false",
  },
  "keep-fresh": {
    field: "keepFresh",
    default: "true",
  },
  "min-ttl": {
    field: "minTtl",
  },
  seal: {
    field: "seal",
    default: "false",
  },
  "sealed-token": {
    field: "sealedToken",
    default: "false",
  },
  check: {
    field: "check",
    default: "false",
  },
} satisfies Readonly<Record<string, Input>>);

/** The name of an input. */
export type InputName = keyof typeof inputs;

/** What the action calls each field. */
export const inputNames = Object.freeze(
  Object.fromEntries(Object.entries(inputs).map(([name, { field }]) => [field, name])),
) as FieldNames;

/** Ids of everything a user can set. Each front door (action, library, environment) has its own names for them. */
export type Field =
  | "clientId"
  | "clientSecret"
  | "tsgId"
  | "scope"
  | "tokenUrl"
  | "jwksUrl"
  | "verify"
  | "ca"
  | "maxRetries"
  | "timeout"
  | "authFile"
  | "keepFresh"
  | "minTtl"
  | "seal"
  | "sealedToken"
  | "check";

/** What one front door calls each field. */
export type FieldNames = Readonly<Record<Field, string>>;

/** The library's options are called as the fields are. */
export const FIELD_NAMES: FieldNames = Object.freeze({
  clientId: "clientId",
  clientSecret: "clientSecret",
  tsgId: "tsgId",
  scope: "scope",
  tokenUrl: "tokenUrl",
  jwksUrl: "jwksUrl",
  verify: "verify",
  ca: "ca",
  maxRetries: "maxRetries",
  timeout: "timeout",
  authFile: "path",
  keepFresh: "keepFresh",
  minTtl: "minTtl",
  seal: "seal",
  sealedToken: "sealed",
  check: "check",
});

/** `text` with each `{field}` in it replaced by the name that the reader knows. */
export function nameFields(text: string, names: FieldNames): string {
  return text.replace(/\{(\w+)\}/g, (whole, id: string) => (Object.hasOwn(names, id) ? nameOf(id, names) : whole));
}

/** What a reader calls a field. */
export const nameOf = (field: string, names: FieldNames): string =>
  Object.hasOwn(names, field) ? names[field as Field] : field;

/**
 * One thing wrong with what the user gave. No text holds a secret. Those of an AuthError are in its reader's names;
 * on the way there they name fields as `{tsgId}`.
 */
export interface Problem {
  /** What was set wrongly: an option, an environment variable, or what else the user wrote. */
  readonly field: string;
  /** The rest of a sentence that begins with the field's name: "is missing". */
  readonly reason: string;
  /** What to write instead. */
  readonly hint: string;
}

/** A problem in the words of one front door. */
export const nameProblem = ({ field, reason, hint }: Problem, names: FieldNames): Problem => ({
  field: nameOf(field, names),
  reason: nameFields(reason, names),
  hint: nameFields(hint, names),
});

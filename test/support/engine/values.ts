/** Properties as the engine sends and stores them: JSON with a special representation of secrets and unknown values. */
export type Properties = Readonly<Record<string, unknown>>;

/** Marks a secret (`sdk/go/common/resource/sig` in pulumi/pulumi). */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
/** Represents a value that is unknown in a preview. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const isObject = (value: unknown): value is Properties => typeof value === "object" && value !== null;

function map(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  return isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, change(part)]))
    : value;
}

export const isSecret = (value: unknown): value is { readonly value: unknown } =>
  isObject(value) && value[SIGNATURE] === SECRET;

/** Removes the marks of secrets. Dynamic providers receive properties in this form. */
export const unwrap = (value: unknown): unknown => (isSecret(value) ? unwrap(value.value) : map(value, unwrap));

/** Replaces secrets with ciphertext, as in the state. */
export const encrypt = (value: unknown): unknown =>
  isSecret(value) ? { [SIGNATURE]: SECRET, ciphertext: "..." } : map(value, encrypt);

const containsSecret = (value: unknown): boolean =>
  isSecret(value) || (isObject(value) && Object.values(value).some(containsSecret));

/** Marks received properties as secrets if they were sent as secrets or are listed in `names`. */
export function markSecrets(sent: Properties, received: Properties, names: readonly string[] = []): Properties {
  const isMarked = (name: string, value: unknown): boolean =>
    value !== undefined && value !== null && !isSecret(value) && (containsSecret(sent[name]) || names.includes(name));
  return Object.fromEntries(
    Object.entries(received).map(([name, value]) => [
      name,
      isMarked(name, value) ? { [SIGNATURE]: SECRET, value } : value,
    ]),
  );
}

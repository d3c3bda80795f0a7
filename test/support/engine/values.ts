/** Properties as the engine sends and keeps them: JSON, where a secret and an unknown have forms of their own. */
export type Value = unknown;
export type Properties = Readonly<Record<string, Value>>;

/** How a secret travels (`sdk/go/common/resource/sig`). */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
/** How a value travels that a preview does not know. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const isObject = (value: Value): value is Properties => typeof value === "object" && value !== null;
const mapped = (value: Properties, change: (value: Value) => Value): Value =>
  Array.isArray(value)
    ? value.map(change)
    : Object.fromEntries(Object.entries(value).map(([name, part]) => [name, change(part)]));

export const isSecret = (value: Value): value is { readonly value: Value } =>
  isObject(value) && value[SIGNATURE] === SECRET;
const secret = (value: Value): Value => (isSecret(value) ? value : { [SIGNATURE]: SECRET, value });

/** Without the marks of secrets, as a dynamic provider gets them: it says that it takes none. */
export function open(value: Value): Value {
  if (isSecret(value)) return open(value.value);
  return isObject(value) ? mapped(value, open) : value;
}

/** As `pulumi stack export` shows it: secrets are ciphertext there. */
export function sealed(value: Value): Value {
  if (isSecret(value)) return { [SIGNATURE]: SECRET, ciphertext: "..." };
  return isObject(value) ? mapped(value, sealed) : value;
}

const holdsSecret = (value: Value): boolean =>
  isSecret(value) || (isObject(value) && Object.values(value).some(holdsSecret));
const isSet = (value: Value): boolean => value !== undefined && value !== null;

/** Marks what comes back under the name of something that went in with a secret. */
export function markedAs(sent: Properties, received: Properties, names: readonly string[] = []): Properties {
  const isMarked = (name: string, value: Value): boolean =>
    isSet(value) && (holdsSecret(sent[name]) || names.includes(name));
  return Object.fromEntries(
    Object.entries(received).map(([name, value]) => [name, isMarked(name, value) ? secret(value) : value]),
  );
}

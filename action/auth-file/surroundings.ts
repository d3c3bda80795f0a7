import type { AuthRequest } from "../../shared/token/auth-request.ts";
import { scopeSet } from "../../shared/token/scope.ts";

/** A job's variables. */
type Variables = Readonly<Record<string, string | undefined>>;

/** What a variable of the job does to the auth file; undefined when its value does no harm. */
type Effect = (value: string, request: AuthRequest) => string | undefined;

const LOGS = "makes the providers write what the auth server answers, the token too, into their log";

/** THE table of variables that would undo what the file is for. The providers take each before the file. */
const EFFECTS: Readonly<Record<string, Effect>> = {
  TF_LOG: (value) => (/^off$/i.test(value) ? undefined : LOGS),
  TF_LOG_PROVIDER: (value) => (/^off$/i.test(value) ? undefined : LOGS),
  SCM_LOGGING: () => LOGS,
  SCM_AUTH_URL: () =>
    "beats the address in the auth file: a provider whose token ended signs in there with a secret that is good here alone, and fails",
  SCM_CLIENT_ID: (value, { clientId }) =>
    value === clientId ? undefined : "beats the client id in the auth file: a provider whose token ended is refused",
  SCM_CLIENT_SECRET: () =>
    "gives the long-lived secret to every step, and the providers send it wherever they sign in; with the auth file they need none",
  SCM_SCOPE: (value, { scope }) =>
    scopeSet(value) === scopeSet(scope)
      ? undefined
      : "beats the scope in the auth file: a provider whose token ended is refused",
  SCM_HEADERS: () => "beats the auth file: the providers send these headers with every call",
  SCM_SKIP_VERIFY_CERTIFICATE: (value) =>
    /^(0|f|false)$/i.test(value)
      ? undefined
      : "beats the auth file: the providers take any certificate, and so anyone can read the token",
};

/** A warning for each variable of the job that would undo what the auth file is for. No value is shown. */
export const warningsOf = (env: Variables, request: AuthRequest): readonly string[] =>
  Object.entries(EFFECTS).flatMap(([name, effect]) => {
    const value = env[name]?.trim() ?? "";
    const does = value === "" ? undefined : effect(value, request);
    return does === undefined ? [] : [`${name} is set in this job. It ${does}.`];
  });

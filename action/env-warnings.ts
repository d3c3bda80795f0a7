import type { AuthRequest } from "../shared/auth-request.ts";
import type { Environment } from "../shared/environment.ts";
import { normalizeScope } from "../shared/scope.ts";

/** Describes how a variable with this value affects users of the auth file; undefined if it is harmless. */
type Effect = (value: string, request: AuthRequest) => string | undefined;

const LOGS = "makes the providers log auth server responses, including the token";
const SIGN_IN_FAILS = "a provider whose token has expired will fail to sign in";

const unlessOff: Effect = (value) => (/^off$/i.test(value) ? undefined : LOGS);

/** Variables of the `scm` providers. They take precedence over the auth file. */
const OVERRIDES: Readonly<Record<string, Effect>> = {
  TF_LOG: unlessOff,
  TF_LOG_PROVIDER: unlessOff,
  SCM_LOGGING: () => LOGS,
  SCM_AUTH_URL: () => `overrides auth_url: ${SIGN_IN_FAILS}`,
  SCM_CLIENT_ID: (value, { clientId }) =>
    value === clientId ? undefined : `overrides the client ID: ${SIGN_IN_FAILS}`,
  SCM_CLIENT_SECRET: () => "exposes the client secret to every step; it is not needed with the auth file",
  SCM_SCOPE: (value, { scope }) =>
    normalizeScope(value) === normalizeScope(scope) ? undefined : `overrides the scope: ${SIGN_IN_FAILS}`,
  SCM_HEADERS: () => "overrides the auth file: the providers send these headers with every call",
  SCM_SKIP_VERIFY_CERTIFICATE: (value) =>
    /^(0|f|false)$/i.test(value) ? undefined : "disables certificate verification in the providers",
};

/** Returns a warning for each environment variable that defeats the purpose of the auth file. No value is shown. */
export const environmentWarnings = (env: Environment, request: AuthRequest): readonly string[] =>
  Object.entries(OVERRIDES).flatMap(([name, getEffect]) => {
    const value = env[name]?.trim() ?? "";
    const effect = value === "" ? undefined : getEffect(value, request);
    return effect === undefined ? [] : [`${name} is set in this job: it ${effect}.`];
  });

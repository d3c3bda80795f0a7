import type { ApiErrorGroup } from "../../../shared/api-error.ts";
import type { AuthErrorCode } from "../../../shared/errors.ts";
import type { AuthErrorCause, ErrorCause, ErrorSection } from "./cause.ts";
import { CONFIGURATION, NETWORK, PROXY, RESPONSE, TLS } from "./request-causes.ts";
import { AUTH_FILE, PROGRAM, REJECTION, SEALED_TOKEN, VERIFICATION } from "./token-causes.ts";

// A missing code is a type error.
const ALL: Readonly<Record<AuthErrorCode, AuthErrorCause>> = {
  ...CONFIGURATION,
  ...NETWORK,
  ...PROXY,
  ...TLS,
  ...RESPONSE,
  ...REJECTION,
  ...VERIFICATION,
  ...AUTH_FILE,
  ...SEALED_TOKEN,
  ...PROGRAM,
};
export const ERROR_COUNT = Object.keys(ALL).length;

export const ERROR_SECTIONS: readonly ErrorSection[] = [
  { title: "A setting is missing or wrong", text: "No request was sent.", errors: CONFIGURATION },
  {
    title: "The server cannot be reached",
    text: "The message names the request that failed: the token request, the JWKS request (for the signing keys), or the API request. Temporary failures were retried ([retries.md](retries.md)).",
    errors: NETWORK,
  },
  {
    title: "The proxy",
    text: "`https_proxy` or `HTTPS_PROXY` configures a proxy. [network.md](network.md#proxies) describes these variables.",
    errors: PROXY,
  },
  {
    title: "TLS",
    text: "The server or a proxy was reached, but no secure connection was established. No secret was sent.",
    errors: TLS,
  },
  {
    title: "The auth server rejects the sign-in",
    text: "These errors are not retried, because the same request would be rejected again. A `<description>` is the server's own text.",
    errors: REJECTION,
  },
  {
    title: "The response is not usable",
    text: "A server responded, but not with a token or with keys. The message can also name the JWKS request.",
    errors: RESPONSE,
  },
  {
    title: "The token is not valid",
    text: "The token was received, but it failed verification. No output was set, and no program got the token.",
    errors: VERIFICATION,
  },
  {
    title: "The auth file",
    text: "[auth-file.md](auth-file.md) describes the file. `scm-auth` never overwrites a file that it did not create.",
    errors: AUTH_FILE,
  },
  {
    title: "The sealed token",
    text: "If a sealed token cannot be used, the action and the command sign in instead and log the reason. The library throws these errors. [sealed-token.md](sealed-token.md) describes sealed tokens.",
    errors: SEALED_TOKEN,
  },
  {
    title: "The step, the command, or the program",
    text: "The command also reports errors without a code, for example for an unknown option. Their hints contain everything that is known about them.",
    errors: PROGRAM,
  },
];

export const API_CAUSES: Readonly<Record<ApiErrorGroup, ErrorCause>> = {
  400: {
    message: "the API responded with status 400: <code>: <message>.",
    cause:
      "The API does not accept the request. All 4xx statuses that are not listed here are handled in the same way.",
    more: "`error.details` contains the API's own explanation.",
  },
  401: {
    message: "the API responded with status 401: <code>: <message>.",
    cause:
      "The API rejected the token. If it was at least 10 seconds old, the API also rejected a new one that the session requested.",
  },
  403: {
    message: "the API responded with status 403: <code>: <message>.",
    cause: "The token is valid, but the service account may not do this.",
  },
  404: {
    message: "the API responded with status 404: <code>: <message>.",
    cause: "There is no such path or object, or it is in another folder.",
  },
  409: {
    message: "the API responded with status 409: <code>: <message>.",
    cause: "The request conflicts with the current configuration.",
  },
  429: {
    message: "the API responded with status 429: <code>: <message>.",
    cause: "The API received too many requests. The retries did not help.",
  },
  "5xx": {
    message: "the API responded with status <status>: <code>: <message>.",
    cause: "The API failed. Requests that can be repeated safely were retried.",
    more: "`error.requestId` identifies the request in a support case.",
  },
  "3xx": {
    message: "the API responded with status <status>.",
    cause: "The API responded with a redirect.",
  },
  "2xx": {
    message: "the API responded with status <status> and a body that is not JSON.",
    cause: "The request succeeded, but its response is not what `request` or `list` expects.",
  },
};

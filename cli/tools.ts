import { usageError } from "./command-error.ts";

/** What a tool signs in with, from which the values of its variables are made. */
export interface ToolCredentials {
  readonly clientId: string;
  readonly scope: string;
  /** Undefined if the scope contains no tenant or more than one. */
  readonly tsgId: string | undefined;
  /** The URL and the secret of the token server. */
  readonly tokenUrl: string;
  readonly secret: string;
  readonly accessToken: string;
}

interface Tool {
  readonly getVariables: (credentials: ToolCredentials) => Readonly<Record<string, string | undefined>>;
  /** Whether the tool takes an access token, which it cannot renew. */
  readonly takesToken?: boolean;
}

const SCM: Tool = {
  getVariables: ({ clientId, secret, scope, tokenUrl }) => ({
    SCM_CLIENT_ID: clientId,
    SCM_CLIENT_SECRET: secret,
    SCM_SCOPE: scope,
    SCM_AUTH_URL: tokenUrl,
  }),
};

/** The clients of the Prisma AIRS SDK, each of which has its own variables. */
const AIRS_PREFIXES = ["PANW_MGMT", "PANW_RED_TEAM", "PANW_MODEL_SEC", "PANW_AI_GW"];

/** The tools of `--export`. docs/tools.md says in which versions the variables were tried. */
const TOOLS: Readonly<Record<string, Tool>> = {
  scm: SCM,
  prismasdwan: SCM,
  // Only a playbook takes a client ID and secret. It can read them from the variables that every command has.
  vcert: { getVariables: ({ accessToken }) => ({ VCERT_TOKEN: accessToken }), takesToken: true },
  venafi: {
    getVariables: ({ clientId, secret, tsgId, tokenUrl }) => ({
      VENAFI_CLIENT_ID: clientId,
      VENAFI_CLIENT_SECRET: secret,
      VENAFI_TSG_ID: tsgId,
      VENAFI_TOKEN_URL: tokenUrl,
    }),
  },
  airs: {
    getVariables: ({ clientId, secret, tsgId, tokenUrl }) =>
      Object.fromEntries(
        AIRS_PREFIXES.flatMap((prefix) => [
          [`${prefix}_CLIENT_ID`, clientId],
          [`${prefix}_CLIENT_SECRET`, secret],
          [`${prefix}_TSG_ID`, tsgId],
          [`${prefix}_TOKEN_ENDPOINT`, tokenUrl],
        ]),
      ),
  },
  "pan-scm-cli": { getVariables: ({ accessToken }) => ({ SCM_ACCESS_TOKEN: accessToken }), takesToken: true },
};

export const TOOL_NAMES = Object.keys(TOOLS);

/**
 * Parses the value of `--export`.
 *
 * @throws CommandError for an unknown tool
 */
export function parseTools(list: string | undefined): readonly string[] {
  const names = (list ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const unknown = names.find((name) => !TOOL_NAMES.includes(name));
  if (unknown !== undefined)
    throw usageError(
      `--export: ${JSON.stringify(unknown.slice(0, 40))} is not a known tool.`,
      `Tools: ${TOOL_NAMES.join(", ")}.`,
    );
  return names;
}

/** Returns the variables of the tools. Undefined values are to be left out. */
export const getToolVariables = (
  names: readonly string[],
  credentials: ToolCredentials,
): Readonly<Record<string, string | undefined>> =>
  Object.assign({}, ...names.map((name) => TOOLS[name]?.getVariables(credentials))) as Record<
    string,
    string | undefined
  >;

/** Returns the tools that take an access token, which they cannot renew. */
export const getTokenTools = (names: readonly string[]): readonly string[] =>
  names.filter((name) => TOOLS[name]?.takesToken);

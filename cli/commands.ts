/** An option of a command, as `util.parseArgs` takes it, and as the help shows it. */
export interface OptionSpec {
  readonly type: "string" | "boolean";
  /** The name of the value in the help, for example `PATH`. */
  readonly value?: string;
  readonly help: string;
}

/** What a command accepts, from which both the parser and the help are made. */
export interface CommandSpec {
  readonly summary: string;
  /** What follows the name of the command in the usage line. */
  readonly usage: string;
  readonly description: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly maxPositionals: number;
  /** Whether `-- COMMAND ARGUMENTS` follows the options. */
  readonly takesCommand?: boolean;
  readonly examples: readonly (readonly [command: string, comment: string])[];
}

/** Options of every command that signs in. They take precedence over the environment. */
const SIGN_IN_OPTIONS = {
  "client-id": { type: "string", value: "ID", help: "client ID of the service account (SCM_CLIENT_ID)" },
  "client-secret-file": {
    type: "string",
    value: "PATH",
    help: "file with the client secret, - for stdin (SCM_CLIENT_SECRET or SCM_CLIENT_SECRET_FILE)",
  },
  "tsg-id": { type: "string", value: "ID", help: "tenant service group (SCM_TSG_ID)" },
  scope: { type: "string", value: "SCOPE", help: "scope to request; default: tsg_id:<TSG ID> (SCM_SCOPE)" },
  "token-url": { type: "string", value: "URL", help: "token endpoint (SCM_TOKEN_URL or SCM_AUTH_URL)" },
  timeout: { type: "string", value: "SECONDS", help: "time limit for a sign-in, 1 to 3600; default: 60" },
} as const satisfies CommandSpec["options"];

const CACHE_OPTIONS = {
  "min-ttl": {
    type: "string",
    value: "SECONDS",
    help: "minimum remaining lifetime, 0 to 86400; default: 300, or a third of the lifetime",
  },
  "no-cache": { type: "boolean", help: "neither read nor write the user's token cache" },
} as const satisfies CommandSpec["options"];

/** All commands, in the order of the help. */
export const COMMANDS = {
  token: {
    summary: "print a verified access token",
    usage: "[--min-ttl SECONDS] [--json]",
    description: [
      "Prints the token and a line break on stdout, and nothing else. Calls at the same time share one token request",
      "through a cache that only this user can read.",
    ],
    options: {
      ...CACHE_OPTIONS,
      json: { type: "boolean", help: "print access_token, expires_at, scope, and tsg_id as JSON" },
      ...SIGN_IN_OPTIONS,
    },
    maxPositionals: 0,
    examples: [
      [
        'token="$(scm-auth token)" && printf "Authorization: Bearer $token" | curl -fsS -H @- https://api...',
        "call the SCM API; the token does not appear in the process list",
      ],
      ["scm-auth token --min-ttl 600 --json", "a token that is valid for at least 10 minutes, as JSON"],
    ],
  },
  run: {
    summary: "run a command with credentials that stay valid while it runs",
    usage: "[--export TOOL,...] [--auth-file PATH] [--no-mask] -- COMMAND [ARGUMENT...]",
    description: [
      "Runs COMMAND with an auth file and a token server on 127.0.0.1. Both are gone when COMMAND ends. The environment of",
      "COMMAND contains SCM_CLIENT_ID, SCM_CLIENT_SECRET, SCM_TOKEN_URL, SCM_AUTH_FILE, and TF_VAR_scm_auth_file. The",
      "secret in it is accepted only by the token server. The client secret of the service account is not in it.",
    ],
    options: {
      export: {
        type: "string",
        value: "TOOL,...",
        help: "also set the variables of these tools: scm, vcert, venafi, airs, prismasdwan, pan-scm-cli",
      },
      "auth-file": {
        type: "string",
        value: "PATH",
        help: "path of the auth file; default: in the user's cache directory",
      },
      "no-mask": { type: "boolean", help: "do not replace tokens in the output of COMMAND with ***" },
      ...CACHE_OPTIONS,
      ...SIGN_IN_OPTIONS,
    },
    maxPositionals: 0,
    takesCommand: true,
    examples: [
      ["scm-auth run -- tofu apply -auto-approve", "OpenTofu or Terraform, with any number of scm providers"],
      ["scm-auth run --export venafi -- terraform apply", "a tool that signs in with its own variables"],
    ],
  },
  "auth-file": {
    summary: "write an auth file for the scm providers",
    usage: "[PATH] [--watch]",
    description: [
      "Writes the auth file to PATH, by default .scm/auth.json. With --watch, keeps its token valid until the command",
      "receives a signal, and then removes the file.",
    ],
    options: {
      watch: { type: "boolean", help: "keep the token in the file valid until SIGINT or SIGTERM" },
      "min-ttl": CACHE_OPTIONS["min-ttl"],
      ...SIGN_IN_OPTIONS,
    },
    maxPositionals: 1,
    examples: [
      ["scm-auth auth-file", "for one terraform apply of less than 10 minutes"],
      ["scm-auth auth-file /run/scm/auth.json --watch", "as a service"],
    ],
  },
  seal: {
    summary: "print a sealed token for other jobs that have the same secret",
    usage: "",
    description: [
      "Prints a token that is encrypted with the client secret. Every command uses the sealed token in SCM_SEALED_TOKEN,",
      "and sends no token request while it is valid. Without --min-ttl, a token in the cache is used only if it is valid",
      "for another 840 seconds, so that the other jobs have ten minutes to start.",
    ],
    options: { ...CACHE_OPTIONS, ...SIGN_IN_OPTIONS },
    maxPositionals: 0,
    examples: [
      [
        'token="$(scm-auth seal)" && echo "SCM_SEALED_TOKEN=$token" > scm.env',
        "GitLab: pass scm.env on as a dotenv report",
      ],
    ],
  },
  check: {
    summary: "sign in and report every step",
    usage: "[--json]",
    description: [
      "Signs in without a cache, and prints a table of all steps from DNS to the verification of the token. The exit",
      "status is 1 if one of them failed.",
    ],
    options: { json: { type: "boolean", help: "print the report as JSON" }, ...SIGN_IN_OPTIONS },
    maxPositionals: 0,
    examples: [["scm-auth check", "find out why a sign-in fails"]],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>;

export type CommandName = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

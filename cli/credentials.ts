import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { printablePath } from "../shared/auth-file/safe-files.ts";
import { AuthRequest } from "../shared/auth-request.ts";
import type { Milliseconds } from "../shared/clock.ts";
import type { Environment } from "../shared/environment.ts";
import { getErrorCode } from "../shared/errors.ts";
import { getString, type CommandArguments } from "./arguments.ts";
import { CommandError, usageError } from "./command-error.ts";
import type { Terminal } from "./terminal.ts";

const MAX_SECRET_BYTES = 65_536;
const READ_TIMEOUT: Milliseconds = 10_000;

/**
 * Reads the credentials from the options and the environment. Options take precedence.
 *
 * @throws CommandError if the secret file cannot be read; AuthError of kind `config` if credentials are missing or
 *   invalid. No message contains the secret
 */
export async function readCredentials(
  args: Pick<CommandArguments, "values">,
  env: Environment,
  terminal: Terminal,
): Promise<AuthRequest> {
  const secretFile =
    getString(args, "client-secret-file") ?? (isBlank(env["SCM_CLIENT_SECRET"]) ? env["SCM_CLIENT_SECRET_FILE"] : "");
  const clientSecret = isBlank(secretFile) ? undefined : await readSecret(secretFile ?? "", terminal);
  const request = AuthRequest.fromArgs(
    {
      clientId: getString(args, "client-id"),
      tsgId: getString(args, "tsg-id"),
      scope: getString(args, "scope"),
      tokenUrl: getString(args, "token-url"),
      clientSecret,
    },
    env,
  );
  for (const warning of request.warnings) terminal.note(`note: ${warning}`);
  return request;
}

const isBlank = (text: string | undefined): boolean => (text ?? "").trim() === "";

async function readSecret(path: string, terminal: Terminal): Promise<string> {
  if (path === "-" && process.stdin.isTTY)
    throw usageError(
      "stdin is a terminal, so the client secret cannot be read from it.",
      "Pipe the secret to the command.",
    );
  const name = path === "-" ? "stdin" : printablePath(path);
  const reading = path === "-" ? readAll(process.stdin) : readFile(path, terminal);
  const text = await Promise.race([reading, failAfterTimeout(name)]).catch((error: unknown) => {
    if (error instanceof CommandError) throw error;
    const code = getErrorCode(error) ?? "error";
    // Text that is not the name of a file may be the secret itself.
    if (code === "ENOENT" && !/[/\\]/.test(path))
      throw new CommandError("the file for the client secret was not found.", {
        hint: "Set --client-secret-file or SCM_CLIENT_SECRET_FILE to its path. If you passed the secret itself, rotate it: other users can see arguments.",
      });
    const hint = "Check the path in --client-secret-file or SCM_CLIENT_SECRET_FILE.";
    throw new CommandError(`the client secret cannot be read from ${name}: ${code}.`, { hint });
  });
  if (isBlank(text))
    throw new CommandError(`${name} contains no client secret.`, { hint: "Write the secret to it, on one line." });
  // Most editors end a file with a line break.
  return text.trim();
}

async function readFile(path: string, terminal: Terminal): Promise<string> {
  const handle = await open(path, "r");
  try {
    const stats = await handle.stat();
    if (stats.size > MAX_SECRET_BYTES) throw tooLarge();
    if (stats.isFile() && process.platform !== "win32" && (stats.mode & 0o066) !== 0)
      terminal.warn(`Other users can read or change ${printablePath(path)}. Run: chmod 600 ${printablePath(path)}`);
    return await readAll(handle.createReadStream({ autoClose: false }));
  } finally {
    await handle.close();
  }
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_SECRET_BYTES) throw tooLarge();
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A FIFO, as in process substitution, may never be opened or closed by another process. */
async function failAfterTimeout(name: string): Promise<never> {
  await setTimeout(READ_TIMEOUT, undefined, { ref: false });
  throw new CommandError(`the client secret did not arrive from ${name} within ${READ_TIMEOUT / 1000} s.`, {
    hint: "Check the program that writes it.",
  });
}

const tooLarge = (): CommandError =>
  new CommandError("the client secret file is larger than 64 KiB.", {
    hint: "It must contain only the client secret.",
  });

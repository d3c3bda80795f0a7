/** Why a command failed, apart from the sign-in itself. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** What to do; may be empty. */
  readonly hint: string;
  readonly exitStatus: number;

  constructor(message: string, { hint, exitStatus = 1 }: { readonly hint: string; readonly exitStatus?: number }) {
    super(message);
    this.hint = hint;
    this.exitStatus = exitStatus;
  }
}

/** The error for a command line that cannot be executed. */
export const usageError = (message: string, hint: string): CommandError =>
  new CommandError(message, { hint, exitStatus: 2 });

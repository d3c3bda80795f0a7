/** What the runner wants of a file command (`GITHUB_OUTPUT`, `GITHUB_STATE`, `GITHUB_ENV`), in the order written. */
export type FileCommands = ReadonlyMap<string, string>;

/**
 * Reads lines `name=value` and values of several lines between `name<<delimiter` and `delimiter`, as the runner
 * does (actions/runner, FileCommandManager.cs). Of a name that comes twice the last value counts.
 *
 * @throws Error in the runner's words when the file is not well formed, as one that was cut off
 */
export function parseFileCommands(text: string): FileCommands {
  const found = new Map<string, string>();
  const lines = splitLines(text);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line === "") continue;
    const equals = line.indexOf("=");
    const heredoc = line.indexOf("<<");
    if (equals !== -1 && (heredoc === -1 || equals < heredoc)) {
      found.set(line.slice(0, equals), line.slice(equals + 1));
      continue;
    }
    const name = line.slice(0, Math.max(heredoc, 0));
    const delimiter = line.slice(heredoc + 2);
    if (heredoc === -1) throw new Error("Invalid format");
    if (name === "" || delimiter === "") {
      throw new Error("Invalid format. Name must not be empty and delimiter must not be empty");
    }
    const end = lines.indexOf(delimiter, at + 1);
    if (end === -1) throw new Error("Invalid value. Matching delimiter not found");
    found.set(name, lines.slice(at + 1, end).join("\n"));
    at = end;
  }
  return found;
}

/** On Windows the runner takes CRLF as a line end too. */
const splitLines = (text: string): readonly string[] => text.split(process.platform === "win32" ? /\r?\n/ : "\n");

import { isAbsolute, relative, resolve, sep } from "node:path";
import { getGitWarnings } from "../shared/auth-file/git-ignore.ts";

/** Returns warnings about the path of an AuthFile: that it differs between machines, or that Git does not ignore it. */
export async function getPathWarnings(path: string): Promise<readonly string[]> {
  return [...getAbsolutePathWarnings(path), ...(await getGitWarnings(resolve(path)))];
}

function getAbsolutePathWarnings(path: string): readonly string[] {
  if (!isAbsolute(path)) return [];
  const relativePath = relative(process.cwd(), path);
  if (isAbsolute(relativePath) || relativePath.split(sep)[0] === "..") return [];
  const suggestion = relativePath.split(sep).join("/");
  return [`AuthFile: the path is absolute and will differ between machines; use "${suggestion}".`];
}

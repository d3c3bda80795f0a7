import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PulumiStage } from "../e2e/pulumi-stage.ts";
import { PULUMI_TOOLS } from "../support/pulumi.ts";
import { missingTool } from "../support/tools.ts";
import type { LeftOut, Row } from "./row.ts";
import type { Stage } from "./stage.ts";
import { inTurn, timed } from "./timings.ts";

/** Fewer than elsewhere: a preview takes a second or two. */
const RUNS = 5;
const PATH = ".scm/auth.json";

/** A program that has one tag, and maybe something before it. */
const program = (before: string, authFile = `"${PATH}"`): string => `
const pulumi = require("@pulumi/pulumi");
const scm = require("@pulumi/scm");
${before}
const provider = new scm.Provider("scm", { authFile: ${authFile} });
new scm.Tag("web", { folder: "All", name: "web", color: "Red" }, { provider });
`;

const WITHOUT = program("");
const EMPTY = program(`
class Empty extends pulumi.dynamic.Resource {
  constructor(name) {
    super({ create: async () => ({ id: "empty" }) }, name, {});
  }
}
new Empty("empty");`);
const OURS = program(
  `const auth = new (require("scm-auth/pulumi").AuthFile)("scm-auth", { path: "${PATH}" });`,
  "auth.path",
);

/** What one AuthFile adds to a preview of a program that has one tag. */
export async function measurePulumi({ signal }: Stage): Promise<readonly (Row | LeftOut)[]> {
  const absent = await missingTool(PULUMI_TOOLS);
  if (absent !== undefined) return [{ what: "a preview", because: `no ${absent} on PATH` }];
  const stage = new PulumiStage();
  try {
    await stage.open();
    const stack = await stage.stack("bench", OURS);
    const preview = async (code: string): Promise<number> => {
      await writeFile(join(stack.folder, "index.js"), code);
      return timed(() => stack.succeed(["preview"]));
    };
    // From here on there is a file.
    await preview(OURS);
    const { without, empty, found, made } = await inTurn(
      {
        without: () => preview(WITHOUT),
        empty: () => preview(EMPTY),
        found: () => preview(OURS),
        made: async () => {
          await rm(join(stack.folder, PATH));
          return preview(OURS);
        },
      },
      RUNS,
      1,
      signal,
    );
    const bare = { what: "the same without it", value: without };
    return [
      { what: "preview with one AuthFile, its file there", unit: "ms", value: found, against: bare },
      { what: "preview with one AuthFile, no file yet", unit: "ms", value: made, against: bare },
      {
        ...{ what: "preview with one AuthFile, its file there", unit: "ms", value: found },
        against: { what: "the same with an empty dynamic resource", value: empty },
      },
      {
        ...{ what: "added by one AuthFile, its file there", unit: "ms" },
        value: found.map((one, run) => one - (without[run] ?? Number.NaN)),
      },
      {
        ...{ what: "added by an empty dynamic resource", unit: "ms" },
        value: empty.map((one, run) => one - (without[run] ?? Number.NaN)),
      },
    ];
  } finally {
    await stage.close();
  }
}

import type { BuildOptions } from "esbuild";

/** How all code of the npm package is bundled. */
export const PACKAGE_CODE = {
  bundle: true,
  platform: "node",
  target: "node22",
  // It stands in the stack traces of other people's programs, and they step through it.
  minify: false,
  legalComments: "none",
  charset: "utf8",
  metafile: true,
  write: false,
  logLevel: "warning",
} as const satisfies BuildOptions;

import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesOf } from "./pieces.ts";

const { SCM_AUTH_PIECE: piece = "", SCM_AUTH_REPORT: report = "" } = process.env;

/** Read by Stryker, which takes the default export. */
export default {
  plugins: [fileURLToPath(new URL("in-process-runner.ts", import.meta.url))],
  testRunner: "in-process",
  coverageAnalysis: "perTest",
  mutate: filesOf(piece),
  ignorePatterns: ["/dist/library", "/dist/pulumi", "/dist/api"],
  concurrency: 2,
  // A machine with much else to do is no infinite loop.
  timeoutMS: 8000,
  tempDirName: join(tmpdir(), "scm-auth-stryker"),
  // Nothing is compiled, so there is nothing to adapt.
  tsconfigFile: "none",
  reporters: ["json"],
  jsonReporter: { fileName: report },
  logLevel: "warn",
  warnings: { slow: false },
};

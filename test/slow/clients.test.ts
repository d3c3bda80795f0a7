/** Runs the tests of real clients that take minutes and are skipped by `npm test`. */
process.env["SCM_AUTH_LONG_TESTS"] = "1";
await import("../e2e/opentofu.test.ts");
await import("../e2e/pulumi.test.ts");
await import("../e2e/pulumi-plugin.test.ts");

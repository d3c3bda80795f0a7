/** Removes the GITHUB_OUTPUT file during the first request. */
const { rmSync } = require("node:fs");
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  rmSync(process.env.GITHUB_OUTPUT);
});

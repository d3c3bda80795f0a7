/** The file for outputs vanishes when the first request goes out. */
const { rmSync } = require("node:fs");
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  rmSync(process.env.GITHUB_OUTPUT);
});

/** The file of GITHUB_OUTPUT is removed when the first request is sent. */
const { rmSync } = require("node:fs");
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  rmSync(process.env.GITHUB_OUTPUT);
});

/** Starts a child process during the first request and writes its environment to CHILD_ENV_FILE. */
const { spawnSync } = require("node:child_process");
const { writeFileSync } = require("node:fs");
const { onFirstRequest } = require("./first-request.cjs");

onFirstRequest(() => {
  const env = { ...process.env, NODE_OPTIONS: "" };
  const { stdout } = spawnSync(process.execPath, ["-p", "JSON.stringify(process.env)"], { env });
  writeFileSync(process.env.CHILD_ENV_FILE, stdout);
});

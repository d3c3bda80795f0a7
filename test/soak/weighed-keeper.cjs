"use strict";

/**
 * The keeper as it is shipped. To SIGUSR2 it answers what it holds once its garbage is collected: it writes
 * `held.json` in RUNNER_TEMP. Nothing else of it differs.
 */

const { renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const answerFile = join(process.env.RUNNER_TEMP, "held.json");

process.on("SIGUSR2", () => {
  // Twice: what a first one finishes off goes with the second.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const resources = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  // In one step, so that nobody reads half of it.
  writeFileSync(`${answerFile}.tmp`, JSON.stringify({ heap: (heapUsed + arrayBuffers) / 1024 / 1024, resources }));
  renameSync(`${answerFile}.tmp`, answerFile);
});

require("../../dist/action/keeper.cjs");

import { describe, test } from "node:test";

import { scenes } from "../scenes.ts";
import { play } from "./play.ts";
import { judge } from "./verdict.ts";

/** Each scene of the table, on the real bundle. Most of their time is waiting, so more run at once than cores. */
for (const [topic, ofTopic] of Object.entries(scenes)) {
  describe(topic, { concurrency: 4 }, () => {
    for (const scene of ofTopic.filter(({ notOn }) => !notOn?.includes(process.platform))) {
      test(scene.name, () => play(scene, (played) => judge(scene, played)));
    }
  });
}

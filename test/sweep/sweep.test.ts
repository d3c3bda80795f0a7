import { after, before, describe, test } from "node:test";
import { openStage, type SweepStage } from "./stage.ts";
import { sweep } from "./sweep.ts";
import { CUTS, LINES, WAYS, type CutName } from "./table.ts";

/** Every so many bytes; over TLS more seldom, since each costs a handshake. `npm run sweep` cuts at every byte. */
const STEP = 17;
const TLS_STEP = 397;
/** A process each. */
const PROCESS_STEP = 797;

describe("An answer cut off is a failure, told in time:", () => {
  let stage: SweepStage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage.close());

  for (const name of Object.keys(CUTS) as CutName[]) {
    const lines = LINES.filter(({ cut }) => cut === name);
    for (const line of lines) {
      const step = WAYS[line.way].tls ? TLS_STEP : STEP;
      test(`by ${name}, ${line.way}, the ${line.answer} answer (step ${step})`, async (context) => {
        const { cases, longest } = await sweep(stage, line, { signer: "core", step });
        context.diagnostic(`${cases} cuts, longest ${Math.round(longest)} ms`);
      });
    }
    test(`by ${name}, every way, in a step of a workflow (step ${PROCESS_STEP})`, async () => {
      for (const line of lines) await sweep(stage, line, { signer: "step", step: PROCESS_STEP });
    });
  }
});

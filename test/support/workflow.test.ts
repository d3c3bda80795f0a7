import assert from "node:assert/strict";
import { test } from "node:test";
import { jobsOf, runWorkflow } from "./workflow.ts";

const CALLED = `
on:
  workflow_call:
    inputs:
      folder: { type: string, default: All }
      limit: { type: number, default: 5 }
    secrets:
      ONE: { required: true }
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - run: test "$FOLDER,$LIMIT,$ONE,$TWO,$NAME" = "Shared,5,first-secret-of-the-caller,,someone"
        env:
          FOLDER: \${{ inputs.folder }}
          LIMIT: \${{ inputs.limit }}
          ONE: \${{ secrets.ONE }}
          TWO: \${{ secrets.TWO }}
          NAME: \${{ vars.NAME }}
`;
const CALLER = `
on: workflow_dispatch
jobs:
  tags:
    uses: someone/workflows/.github/workflows/called.yml@v1
    with: { folder: Shared }
    secrets: { ONE: "\${{ secrets.ONE }}" }
`;
const called = new Map([["someone/workflows/.github/workflows/called.yml@v1", CALLED]]);
const settings = {
  vars: { NAME: "someone" },
  secrets: { ONE: "first-secret-of-the-caller", TWO: "second-secret-of-the-caller" },
  env: {},
};

test("a called workflow has the inputs and secrets that it is given, its defaults, and no other secret", async () => {
  const runs = await runWorkflow(CALLER, settings, called);
  assert.deepEqual(
    runs.map(({ exitCode }) => exitCode),
    [0],
  );
  const wrong = await runWorkflow(CALLER.replace("Shared", "All"), settings, called);
  assert.deepEqual(
    wrong.map(({ exitCode }) => exitCode),
    [1],
  );
});

test("a workflow that nobody has can't be called", () => {
  assert.throws(() => jobsOf(CALLER), /no workflow someone\/workflows/);
});

import { measureBundles } from "./bundles.ts";
import { measureKeeper } from "./keeper.ts";
import { measureLibrary } from "./library.ts";
import { measurePulumi } from "./pulumi.ts";
import { measureReuse } from "./reuse.ts";
import type { LeftOut, Row } from "./row.ts";
import { measureSignIn } from "./sign-in.ts";
import type { Stage } from "./stage.ts";

/** A part of the benchmark, which is a table of its page. */
export interface Part {
  readonly heading: string;
  /** What its rows are, as sentences. */
  readonly about: string;
  readonly measure: (stage: Stage) => Promise<readonly (Row | LeftOut)[]>;
}

/** Every part by its name, in the page's order. */
export const PARTS: Readonly<Record<string, Part>> = {
  "sign-in": {
    heading: "The step that signs in",
    about: `The whole process of \`dist/action/main.cjs\`, from its start to its end, with the variables and files that the
runner gives. The floor is the least that can be called a sign-in: \`node:https\` and \`node:crypto\`, POST and GET at
once, the signature proved, the outputs written, nothing else checked or hidden (\`test/bench/floor.cjs\`). The usual
action does the same with \`@actions/core\`, \`@actions/http-client\` and \`jose\`, as their pages show them, bundled and
minified by esbuild (\`test/bench/usual-action.ts\`). The Python SDK's step imports what its README imports and signs in
(\`test/bench/python_sdk.py\`). All trust the server's authority by a variable of their language, as a public one would
be trusted without it; where it says \`ca-cert\`, by that input, and the floor adds the file to node's roots, too.`,
    measure: measureSignIn,
  },
  reuse: {
    heading: "The step that need not sign in",
    about: `The same process where a step or job before has left a token. No request for a token is made, which the benchmark
checks. The floor reads the bare token from a file, and proves it as above.`,
    measure: measureReuse,
  },
  bundles: {
    heading: "The bundles",
    about: `What a step reads before it can do anything, and how long node takes with it from its start to its shortest way
out: \`main\` finds no file for outputs and says so, \`post\` finds nothing to remove, \`keeper\` gets no order.`,
    measure: measureBundles,
  },
  keeper: {
    heading: "The keeper's memory",
    about: `The resident memory (VmRSS) of five background processes that keep an auth file fresh, over TLS, with two renewals
a second. How it goes on over a thousand renewals is the soak's to show (\`npm run soak\`).`,
    measure: measureKeeper,
  },
  library: {
    heading: "The library",
    about: `\`OAuth2Client\` from its sources, in one process that goes on. Nanoseconds are processor time.`,
    measure: measureLibrary,
  },
  pulumi: {
    heading: "The Pulumi provider",
    about: `\`pulumi preview\` of a program with one tag, by the real engine with the real scm plugin. Pulumi starts one more
process of node for a program that has any dynamic resource; the empty one shows what that alone takes.
Five runs of each.`,
    measure: measurePulumi,
  },
};

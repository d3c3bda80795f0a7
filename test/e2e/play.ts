import { CLIENT, SECRET, TENANT } from "../scenes/cast.ts";
import type { Scene, Stage, Texts } from "../scenes/scene.ts";
import { canBeCanary, tokenCanaries } from "../support/canaries.ts";
import { runAction, type ActionRun } from "../support/runner.ts";
import { TOKEN_PATH } from "../support/scm-provider.ts";
import { build, resolve } from "./stage.ts";

/** What a scene came to, before anyone has judged it. */
export interface Played {
  readonly run: ActionRun;
  readonly stage: Stage;
  /** As the step got them. */
  readonly inputs: Readonly<Record<string, string>>;
  /** What the scene adds to the step's environment. */
  readonly environment: Texts;
}

/**
 * Plays a scene: starts its servers, runs the action's bundle as the runner does, and hands what came of it to
 * `judge` while the servers still stand.
 *
 * @throws Error also when the secret, or a token that was served, can be seen anywhere
 */
export async function play(scene: Scene, judge: (played: Played) => unknown): Promise<void> {
  const { stage, env, clear } = await build(scene);
  try {
    const inputs = present({
      "client-id": CLIENT,
      "client-secret": SECRET,
      "tsg-id": TENANT,
      "token-url": stage.origin + TOKEN_PATH,
      "max-retries": "1",
      timeout: "5",
      ...resolve(scene.inputs ?? {}, stage),
    });
    const secret = inputs["client-secret"] ?? "";
    const environment = { ...env, ...resolve(scene.env ?? {}, stage) };
    const run = await runAction({
      inputs,
      env: environment,
      ...(scene.event && { event: scene.event }),
      ...(scene.debug && { debug: true }),
      ...(scene.deafRunner && { deafRunner: true }),
      ...(scene.allowStderr && { allowStderr: true }),
      canaries: () => [
        ...[secret, secret.trim()].filter(canBeCanary),
        ...(scene.canaries ?? []),
        // Each form of a token holds the same form of its signature.
        ...stage.served.map((token) => tokenCanaries(token).at(-1) ?? token).filter(canBeCanary),
      ],
    });
    await judge({ run, stage, inputs, environment });
  } finally {
    await clear();
  }
}

const present = (texts: Texts): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(texts).filter((entry): entry is [string, string] => entry[1] !== undefined));

import { ABI, type Kind } from "../abi.ts";
import { Accounts } from "../sign-in/account.ts";
import { AuthFiles } from "../sign-in/auth-files.ts";
import { failureText } from "../sign-in/failure-text.ts";
import { accessTokenProvider } from "./access-token.ts";
import { authFileProvider, type Workshop } from "./auth-file.ts";
import type { CheckResult, DynamicProvider } from "./dynamic-provider.ts";
import type { Properties } from "./inputs.ts";
import { Memory } from "./memory.ts";

/** One for the whole process: the text in the state is evaluated anew for each of its versions. */
const workshop: Workshop = {
  memory: new Memory(),
  accounts: new Accounts(),
  files: new AuthFiles(),
  env: process.env,
};

const KINDS: Readonly<Record<Kind, DynamicProvider>> = {
  "auth-file": authFileProvider(workshop),
  "access-token": accessTokenProvider(workshop),
};

/**
 * The provider behind the resources of scm-auth, for Pulumi's dynamic-provider process. The text that stands as
 * `__provider` in every state calls it; nobody else has to.
 *
 * @param abi - the number in that text
 */
export function handler(abi: number): DynamicProvider {
  const served = (properties: Properties): DynamicProvider => {
    const { kind } = properties;
    if (abi !== ABI || typeof kind !== "string" || !Object.hasOwn(KINDS, kind))
      throw shown("This resource was made by another version of scm-auth.\nInstall the version that made it.");
    return KINDS[kind as Kind];
  };
  return {
    check: async (olds, news) => {
      try {
        return await served(news).check(olds, news);
      } catch (error) {
        return refused(news, error);
      }
    },
    diff: (id, olds, news) => telling(() => served(news).diff(id, olds, news)),
    create: (inputs) => telling(() => served(inputs).create(inputs)),
    update: (id, olds, news) => telling(() => served(news).update(id, olds, news)),
    read: (id, outputs) => telling(() => served(outputs).read(id, outputs)),
    delete: async (id, outputs) => {
      // What an unknown version made stays: nothing of it may stop a stack from being destroyed.
      const { kind } = outputs;
      if (abi === ABI && (kind === "auth-file" || kind === "access-token"))
        await telling(() => KINDS[kind].delete(id, outputs));
    },
  };
}

/** Bad inputs, and a sign-in that failed: a failure of `check` is told once, and thrown errors twice. */
const refused = ({ clientSecret, ...inputs }: Properties, error: unknown): CheckResult => ({
  inputs,
  failures: [{ property: "", reason: isShown(error) ? error.message : failureText(error) }],
});

/** Does `work`, and tells its failure as the engine shall show it. */
async function telling<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isShown(error) ? error : shown(failureText(error));
  }
}

const SHOWN = "scm-auth";
const isShown = (error: unknown): error is Error => error instanceof Error && error.name === SHOWN;

/**
 * An error whose message is for the user. The process prints an error and its stack by itself, beside what the engine
 * shows: there it points to the message.
 */
function shown(message: string): Error {
  const error = new Error(message);
  error.name = SHOWN;
  error.stack = "see the error of the resource";
  error.toString = () => SHOWN;
  return error;
}

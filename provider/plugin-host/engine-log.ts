import * as pulumi from "@pulumi/pulumi";

/**
 * Shows messages under "Diagnostics", each warning once. The engine shows nothing that a plugin writes to stdout or
 * stderr.
 */
export class EngineLog {
  readonly #shown = new Set<string>();

  /** @param address - the address of the engine, which is the last argument of the plugin */
  constructor(address: string | undefined) {
    if (address !== undefined) pulumi.runtime.resetOptions("", "", 1, address, "", false, "");
  }

  /** Shows a message at once. Resolves once the engine has received it. Never rejects. */
  async note(message: string): Promise<void> {
    await pulumi.log.info(message);
  }

  /** Resolves once the engine has received the warning. Never rejects. */
  async warn(message: string): Promise<void> {
    if (this.#shown.has(message)) return;
    this.#shown.add(message);
    await pulumi.log.warn(message);
  }
}

/** All that went over gRPC, as text by who said what. */
export class Traffic {
  readonly #messages: (readonly [name: string, text: string])[] = [];

  note(name: string, message: { readonly toObject: () => unknown } | undefined): void {
    this.#messages.push([name, JSON.stringify(message?.toObject() ?? null)]);
  }

  /** The messages whose names an expression does not match, as one text. */
  without(names: RegExp): string {
    return this.#messages
      .filter(([name]) => !names.test(name))
      .map(([name, text]) => `${name} ${text}`)
      .join("\n");
  }
}

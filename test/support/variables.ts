import type { TestContext } from "node:test";

/** Sets variables of this process's environment for one test; those that are undefined are taken away. */
export function setVariables(t: TestContext, variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name];
    set(name, value);
    t.after(() => {
      set(name, before);
    });
  }
}

function set(name: string, value: string | undefined): void {
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- only deleting takes a variable away
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

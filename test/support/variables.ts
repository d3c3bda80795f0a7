/** Sets environment variables of this process for one test. Undefined unsets a variable. */
export function setVariables(
  t: { readonly after: (callback: () => void) => void },
  variables: Readonly<Record<string, string | undefined>>,
): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name];
    set(name, value);
    t.after(() => {
      set(name, before);
    });
  }
}

function set(name: string, value: string | undefined): void {
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- process.env has no other way to unset a variable
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

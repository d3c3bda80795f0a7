/** What users may depend on: a table for each kind of thing, in it a row for each thing, and what is promised of it. */
export type Surface = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** How one surface differs from an older one: rows as `kind: name`, each with what happened. */
export interface SurfaceChanges {
  /** What somebody who depends on the old one could miss: needs a new major version. */
  readonly broken: readonly string[];
  /** What is there beside it. */
  readonly added: readonly string[];
}

/** Compares what there is with what was promised. A new input that must be given breaks who does not give it. */
export function surfaceChanges(promised: Surface, present: Surface): SurfaceChanges {
  const rows = (surface: Surface): ReadonlyMap<string, string> =>
    new Map(
      Object.entries(surface).flatMap(([kind, table]) =>
        Object.entries(table).map(([name, what]) => [`${kind}: ${name}`, what] as const),
      ),
    );
  const [before, now] = [rows(promised), rows(present)];
  const gone = [...before].flatMap(([row, what]) => {
    const found = now.get(row);
    if (found === what) return [];
    return [found === undefined ? `${row} is gone` : `${row} was "${what}" and is "${found}"`];
  });
  const fresh = [...now].filter(([row]) => !before.has(row));
  const demanded = fresh.filter(([, what]) => what === "required");
  return {
    broken: [...gone, ...demanded.map(([row]) => `${row} is new and required`)],
    added: fresh.filter((row) => !demanded.includes(row)).map(([row]) => row),
  };
}

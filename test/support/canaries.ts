import { secretForms } from "../../shared/report/secrets.ts";

/** Shorter ones stand in innocent text. */
const SHORTEST = 8;

/** All that a secret may look like, longest first. The canary itself is always among them. */
function formsOf(canary: string): readonly string[] {
  const forms = new Set([canary, ...secretForms(canary)].filter((form) => form.length >= SHORTEST));
  return [...forms].sort((a, b) => b.length - a.length);
}

/**
 * Looks for each canary in every form and in every place, in either case of its letters.
 *
 * @param canaries - at least 8 characters each
 * @param places - texts by the name of where they stand
 * @throws Error that names place, canary and form by number, and never shows the secret
 */
export function assertNoCanary(canaries: readonly string[], places: Readonly<Record<string, string>>): void {
  const texts = Object.entries(places).map(([place, text]) => [place, text.toLowerCase()] as const);
  for (const [which, canary] of canaries.entries()) {
    if (!canBeCanary(canary)) throw new Error(`Canary ${which} is too short to be searched for.`);
    const forms = formsOf(canary);
    for (const [form, value] of forms.entries()) {
      const found = texts.find(([, text]) => text.includes(value.toLowerCase()));
      if (found) throw new Error(`A secret leaked: canary ${which}, form ${form} of ${forms.length}, in ${found[0]}.`);
    }
  }
}

/** What of a token must not be seen: the whole, and what is left when its front is cut off. */
export function tokenCanaries(token: string): readonly string[] {
  const [, payload, signature] = token.split(".");
  const parts = payload === undefined || signature === undefined ? [] : [`${payload}.${signature}`, signature];
  return [token, ...parts].filter((part) => part.length >= SHORTEST);
}

/** Whether a value is long enough to be searched for. */
export const canBeCanary = (value: string): boolean => value.trim().length >= SHORTEST;

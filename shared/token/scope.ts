/** One word of a scope (RFC 6749 section 3.3). */
const SCOPE_WORD = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const TENANT_WORD = /^tsg_id:(\d+)$/;

/** The words of a scope, each once, in order. */
export const scopeWords = (scope: string): readonly string[] => [
  ...new Set(scope.split(" ").filter((word) => word !== "")),
];

/** A scope in the one form that all scopes of the same words share: each once, in the order of code units. */
export const scopeSet = (scope: string): string => [...scopeWords(scope)].sort().join(" ");

/** Words that no scope may hold: foreign characters, or a `tsg_id` that is no row of digits. */
export const badScopeWords = (words: readonly string[]): readonly string[] =>
  words.filter((word) => !SCOPE_WORD.test(word) || (/^tsg_id(:|$)/.test(word) && !TENANT_WORD.test(word)));

/** The ids of the tenants (tenant service groups) that a scope names, each once. */
export const tenantsOf = (words: readonly string[]): readonly string[] => [
  ...new Set(words.flatMap((word) => TENANT_WORD.exec(word)?.[1] ?? [])),
];

/** The scope word that asks for one tenant. */
export const tenantScope = (tsgId: string): string => `tsg_id:${tsgId}`;

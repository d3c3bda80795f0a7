/** One scope-token (RFC 6749 section 3.3). */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const TSG_SCOPE = /^tsg_id:(\d+)$/;

/** The scope-tokens of a scope in their original order, without duplicates. */
export const parseScope = (scope: string): readonly string[] => [
  ...new Set(scope.split(" ").filter((token) => token !== "")),
];

/** The canonical form for comparing scopes: scope-tokens sorted by code unit, without duplicates. */
export const normalizeScope = (scope: string): string => [...parseScope(scope)].sort().join(" ");

/** Removes everything that is not a scope-token, such as text with line breaks, from a list that a server sent. */
export const filterScopeTokens = (tokens: readonly string[]): readonly string[] =>
  tokens.filter((token) => SCOPE_TOKEN.test(token));

/** The invalid scope-tokens: those with characters that RFC 6749 does not allow, and a `tsg_id` without digits. */
export const invalidScopeTokens = (tokens: readonly string[]): readonly string[] =>
  tokens.filter((token) => !SCOPE_TOKEN.test(token) || (/^tsg_id(:|$)/.test(token) && !TSG_SCOPE.test(token)));

/** The IDs of the tenants (tenant service groups, TSGs) in a scope, without duplicates. */
export const getTsgIds = (tokens: readonly string[]): readonly string[] => [
  ...new Set(tokens.flatMap((token) => TSG_SCOPE.exec(token)?.[1] ?? [])),
];

/** The scope-token for a tenant. */
export const tsgScope = (tsgId: string): string => `tsg_id:${tsgId}`;

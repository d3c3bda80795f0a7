/** Files of `shared/` that are mutated together, and the tests that must notice. Paths without `shared/` and ending. */
interface Piece {
  readonly files: readonly string[];
  /** Test files; those of the same path as `files` unless given. */
  readonly tests?: readonly string[];
}

/**
 * Small pieces, so that a mutant is held against the tests of its own file alone: what only some distant test would
 * notice counts as unnoticed. Left out are texts (hints), types, and what takes processes or minutes to test, which
 * `npm run mutants` has rows for.
 */
const PIECES: Readonly<Record<string, Piece>> = {
  claims: { files: ["token/claims"] },
  jws: { files: ["token/jws"] },
  "verify-token": { files: ["token/verify-token", "token/key-cache"] },
  words: {
    files: ["token/scope", "token/access-token", "token/ca-text", "report/show-as"],
    tests: ["token/scope", "token/access-token", "token/ca-text"],
  },
  answers: {
    files: ["token/token-endpoint", "token/signing-keys", "http/json-answer"],
    tests: ["token/answers", "token/token-endpoint", "token/signing-keys"],
  },
  request: {
    files: ["token/auth-request", "token/request-fields", "token/environment"],
    tests: ["token/auth-request", "token/complete"],
  },
  retry: { files: ["http/retry"] },
  network: { files: ["http/retry-after", "http/secure-url", "http/proxy"] },
  secrets: {
    files: ["report/secrets", "report/redactor"],
    tests: ["report/secrets", "report/redactor", "report/readings"],
  },
  report: {
    files: ["report/printable", "report/time-span", "report/fields", "report/readings", "report/quiet-listener"],
  },
  errors: { files: ["report/errors"], tests: ["report/errors", "report/hints"] },
  "auth-file-format": { files: ["handoff/auth-file-format"] },
  "renewal-times": {
    files: ["handoff/renewal-times", "handoff/elapsed-time", "clock"],
  },
  "sealed-token": {
    files: ["handoff/sealing-key", "handoff/sealed-form", "handoff/sealed-token"],
    tests: ["handoff/sealing-key", "handoff/sealed-token"],
  },
  "token-source": { files: ["client/token-source"] },
  pages: { files: ["client/pages", "client/api-error", "client/api-answer"] },
};

/** Names of all pieces. */
export const pieceNames: readonly string[] = Object.keys(PIECES);

/** The files of a piece, seen from the project's folder. */
export const filesOf = (piece: string): readonly string[] =>
  (PIECES[piece]?.files ?? []).map((file) => `shared/${file}.ts`);

/** The test files of a piece, seen from the project's folder. */
export const testsOf = (piece: string): readonly string[] =>
  (PIECES[piece]?.tests ?? PIECES[piece]?.files ?? []).map((file) => `test/shared/${file}.test.ts`);

/**
 * Tests that take minutes, and run when they are asked for: `npm run long`. Each has a short form that always runs.
 */
export const LONG_TESTS = "SCM_AUTH_LONG_TESTS";

/** Whether they are asked for. */
const areLong = process.env[LONG_TESTS] !== undefined;

/** Options of a test that has its short form elsewhere. */
export const onlyIfLong = { skip: areLong ? false : "takes minutes: npm run long" } as const;

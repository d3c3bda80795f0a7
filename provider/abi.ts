/**
 * What the two halves of a resource agree on: the user's program, which registers it, and Pulumi's dynamic-provider
 * process, which carries it out. All of it may stand in a state for years.
 */

/** The agreement's number. A release that could not carry out what stands in old states would have another. */
export const ABI = 1;

/**
 * The input `__provider`: the source of a CommonJS module that the dynamic-provider process evaluates. It is the same
 * for every resource and every program, and never changes within a major version, since the engine runs the text that
 * it finds in the state. The handler is looked for from the process's working folder (the program's), then from
 * `@pulumi/pulumi`, which in a pnpm workspace sees what a library depends on. Without it `check` and `read` say what
 * to install, and `delete` does nothing: whoever takes scm-auth out of a program can still destroy the stack.
 */
export const PROVIDER =
  "module.paths.push(...require.main.paths);this.handler=p=>{" +
  `try{return require("scm-auth/pulumi/handler")(${ABI})}` +
  'catch(e){e.stack=e.message="Missing: npm i scm-auth";return{check:p=_=>{throw e},read:p}}}';

/** Which resource it is: stands among its inputs, since the process is told neither type nor URN. */
export type Kind = "auth-file" | "access-token";

/** How an input arrives in the process that nobody knows yet, in a preview (`UnknownStringValue` of the engine). */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

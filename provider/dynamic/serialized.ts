/**
 * The interface between a Pulumi program, which registers a resource, and Pulumi's dynamic provider process, which
 * manages it. All of it is stored in the state, possibly for years.
 */

/** Version of the serialized provider. It changes with a release that cannot manage the resources of older states. */
export const PROVIDER_VERSION = 1;

/**
 * The input `__provider`: the source of a CommonJS module that the dynamic provider process evaluates. Pulumi's own
 * serializer would write the code of this package into the state, which then shows a diff with each release.
 *
 * The engine runs the string that it finds in the state, so it is the same for every resource and every 1.x. It looks up
 * the handler from the process's working directory, which is the program's, then from `@pulumi/pulumi`, which in a pnpm
 * workspace finds the dependencies of a library. Without the package, `check` and `read` say what to install, and
 * `delete` does nothing: a stack can still be destroyed after scm-auth was removed from the program.
 */
export const SERIALIZED_PROVIDER =
  "module.paths.push(...require.main.paths);this.handler=p=>{" +
  `try{return require("scm-auth/pulumi/handler")(${PROVIDER_VERSION})}` +
  'catch(e){e.stack=e.message="Missing: npm i scm-auth";return{check:p=_=>{throw e},read:p}}}';

/** The resource that each `kind` is. It is one of the inputs, because the process receives neither type nor URN. */
export const KINDS = { "auth-file": "AuthFile", "access-token": "AccessToken" } as const;
export type ResourceKind = keyof typeof KINDS;

/** An input whose value is not known in a preview (`UnknownStringValue` of the engine). */
export const UNKNOWN_VALUE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

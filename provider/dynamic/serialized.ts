/**
 * The interface between a Pulumi program, which registers a resource, and Pulumi's dynamic provider process, which
 * manages it. The whole interface is stored in the state, possibly for years.
 */

/** Version of the serialized provider. It changes when a release cannot manage resources in older states. */
export const PROVIDER_VERSION = 1;

/**
 * The input `__provider`: the source of a CommonJS module that the dynamic provider process evaluates. Pulumi's own
 * serializer would write the code of this package to the state, which would then show a diff with each release.
 *
 * The engine runs the string that it finds in the state, so the string is the same for every resource and every 1.x
 * release. The code first looks up the handler from the process's working directory, which is also the program's. If
 * that fails, it does so from `@pulumi/pulumi`, which finds the dependencies of a library in a pnpm workspace. If the
 * package is missing, `check` and `read` say what to install, and `delete` does nothing, so that a stack can still be
 * destroyed after scm-auth is removed from the program.
 */
export const SERIALIZED_PROVIDER =
  "module.paths.push(...require.main.paths);this.handler=p=>{" +
  `try{return require("scm-auth/pulumi/handler")(${PROVIDER_VERSION})}` +
  'catch(e){e.stack=e.message="Missing: npm i scm-auth";return{check:p=_=>{throw e},read:p}}}';

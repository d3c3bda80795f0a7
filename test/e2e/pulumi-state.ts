import type { ScmServer } from "../support/scm-server.ts";

/** A copy of `__provider` from release 1.0, because users' states do not change when the sources change. */
const PROVIDER_1_0 =
  'module.paths.push(...require.main.paths);this.handler=p=>{try{return require("scm-auth/pulumi/handler")(1)}catch(e){e.stack=e.message="Missing: npm i scm-auth";return{check:p=_=>{throw e},read:p}}}';

/** Creates a state as exported after an update with release 1.0. It has an AuthFile with the path `.scm/auth.json`. */
export function createState(project: string, { clientId, tsgId }: ScmServer) {
  const time = { created: "2026-11-24T09:00:00Z", modified: "2026-11-24T09:00:00Z" };
  const stack = `urn:pulumi:dev::${project}::pulumi:pulumi:Stack::${project}-dev`;
  const provider = `urn:pulumi:dev::${project}::pulumi:providers:pulumi-nodejs::default`;
  const providerId = "ed7f26a8-05a6-48bc-9e78-7e21e1fad0e9";
  const inputs = { __provider: PROVIDER_1_0, kind: "auth-file", name: "scm-auth", path: ".scm/auth.json" };
  return {
    version: 3,
    deployment: {
      manifest: { time: "2026-11-24T09:00:00Z", magic: "", version: "" },
      resources: [
        { urn: stack, custom: false, type: "pulumi:pulumi:Stack", ...time },
        { urn: provider, custom: true, id: providerId, type: "pulumi:providers:pulumi-nodejs", ...time },
        {
          urn: `urn:pulumi:dev::${project}::pulumi-nodejs:dynamic/scm-auth:AuthFile::scm-auth`,
          custom: true,
          id: ".scm/auth.json",
          type: "pulumi-nodejs:dynamic/scm-auth:AuthFile",
          inputs,
          outputs: { ...inputs, identity: { clientId, scope: `tsg_id:${tsgId}` } },
          parent: stack,
          provider: `${provider}::${providerId}`,
          ...time,
        },
      ],
    },
  };
}

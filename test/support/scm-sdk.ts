/**
 * The part of `@pulumi/scm` that examples and docs use. In no registry: `pulumi package add` makes it on each user's
 * machine, and this one is made by hand.
 */

/** Its files, to lie in `node_modules/@pulumi/scm`. */
export const SCM_SDK: Readonly<Record<string, string>> = {
  "package.json": '{ "name": "@pulumi/scm", "version": "1.0.0", "main": "index.js", "types": "index.d.ts" }\n',
  "index.js": `"use strict";
const pulumi = require("@pulumi/pulumi");
exports.Provider = class extends pulumi.ProviderResource {
  constructor(name, args, opts) { super("scm", name, args, opts); }
};
exports.Tag = class extends pulumi.CustomResource {
  constructor(name, args, opts) {
    super("scm:index/tag:Tag", name, { color: undefined, comments: undefined, folder: undefined, name: undefined, ...args }, opts);
  }
};
exports.Address = class extends pulumi.CustomResource {
  constructor(name, args, opts) {
    super("scm:index/address:Address", name, { folder: undefined, ipNetmask: undefined, name: undefined, tags: undefined, ...args }, opts);
  }
};
`,
  "index.d.ts": `import * as pulumi from "@pulumi/pulumi";
export declare class Provider extends pulumi.ProviderResource {
  constructor(name: string, args?: { authFile?: pulumi.Input<string> }, opts?: pulumi.ResourceOptions);
}
export declare class Tag extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  readonly color: pulumi.Output<string | undefined>;
  constructor(
    name: string,
    args?: { folder?: pulumi.Input<string>; name?: pulumi.Input<string>; color?: pulumi.Input<string> },
    opts?: pulumi.CustomResourceOptions,
  );
}
export declare class Address extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  constructor(
    name: string,
    args?: {
      folder?: pulumi.Input<string>;
      name?: pulumi.Input<string>;
      ipNetmask?: pulumi.Input<string>;
      tags?: pulumi.Input<pulumi.Input<string>[]>;
    },
    opts?: pulumi.CustomResourceOptions,
  );
}
`,
};

// A tag and an address object in Strata Cloud Manager.
//
// `pulumi package add terraform-provider paloaltonetworks/scm` generates @pulumi/scm and adds it to package.json. Commit
// the generated files.
import * as scm from "@pulumi/scm";
import * as scmAuth from "scm-auth/pulumi";

// In CI, the scm-auth step has created this file. Elsewhere it is created here, with SCM_CLIENT_ID and
// SCM_CLIENT_SECRET.
const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" });
const provider = new scm.Provider("scm", { authFile: auth.path });

const web = new scm.Tag("web", { folder: "All", name: "web", color: "Red" }, { provider });
const server = new scm.Address(
  "web-server",
  { folder: "All", name: "web-server", ipNetmask: "192.0.2.10/32", tags: [web.name] },
  { provider },
);

export const addressId = server.id;

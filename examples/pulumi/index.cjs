// A tag in Strata Cloud Manager by Pulumi. Its step has SCM_AUTH_FILE in the environment, from the output auth-file of
// the sign-in; @pulumi/scm is made by `pulumi package add terraform-provider paloaltonetworks/scm`.
const scm = require("@pulumi/scm");

const provider = new scm.Provider("scm", { authFile: process.env.SCM_AUTH_FILE });
const edge = new scm.Tag("edge", { folder: "Shared", name: "edge", color: "Red" }, { provider });

module.exports = { edgeId: edge.id };

"""A tag and an address object in Strata Cloud Manager.

`pulumi install` generates pulumi_scm_auth in sdks/ from `packages` in Pulumi.yaml.
"""

import pulumi
import pulumi_scm as scm
import pulumi_scm_auth as scm_auth

# In CI, the scm-auth step has created this file. Elsewhere it is created here, with SCM_CLIENT_ID and
# SCM_CLIENT_SECRET.
auth = scm_auth.AuthFile("scm-auth", path=".scm/auth.json")
provider = scm.Provider("scm", auth_file=auth.path)
opts = pulumi.ResourceOptions(provider=provider)

web = scm.Tag("web", folder="All", name="web", color="Red", opts=opts)
server = scm.Address(
    "web-server", folder="All", name="web-server", ip_netmask="192.0.2.10/32", tags=[web.name], opts=opts
)

pulumi.export("addressId", server.id)

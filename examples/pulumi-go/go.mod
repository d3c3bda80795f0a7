module scm-objects

go 1.25.6

require (
	github.com/OWNER/scm-auth/sdk/go v0.0.0
	github.com/pulumi/pulumi-terraform-provider/sdks/go/scm v0.0.0
	github.com/pulumi/pulumi/sdk/v3 v3.276.0
)

replace (
	github.com/OWNER/scm-auth/sdk/go => ./sdks/scm-auth
	github.com/pulumi/pulumi-terraform-provider/sdks/go/scm => ./sdks/scm
)

// A tag and an address object in Strata Cloud Manager.
//
// `pulumi install` generates both packages in sdks/ from `packages` in Pulumi.yaml. Then run `go mod tidy`.
package main

import (
	"github.com/OWNER/scm-auth/sdk/go/scmauth"
	"github.com/pulumi/pulumi-terraform-provider/sdks/go/scm/scm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		// In CI, the scm-auth step has created this file. Elsewhere it is created here, with SCM_CLIENT_ID and
		// SCM_CLIENT_SECRET.
		auth, err := scmauth.NewAuthFile(ctx, "scm-auth", &scmauth.AuthFileArgs{Path: pulumi.String(".scm/auth.json")})
		if err != nil {
			return err
		}
		provider, err := scm.NewProvider(ctx, "scm", &scm.ProviderArgs{AuthFile: auth.Path})
		if err != nil {
			return err
		}
		web, err := scm.NewTag(ctx, "web", &scm.TagArgs{
			Folder: pulumi.String("All"),
			Name:   pulumi.String("web"),
			Color:  pulumi.String("Red"),
		}, pulumi.Provider(provider))
		if err != nil {
			return err
		}
		server, err := scm.NewAddress(ctx, "web-server", &scm.AddressArgs{
			Folder:    pulumi.String("All"),
			Name:      pulumi.String("web-server"),
			IpNetmask: pulumi.String("192.0.2.10/32"),
			Tags:      pulumi.StringArray{web.Name},
		}, pulumi.Provider(provider))
		if err != nil {
			return err
		}
		ctx.Export("addressId", server.ID())
		return nil
	})
}

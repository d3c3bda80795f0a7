# A tag and an address object in Strata Cloud Manager, for Terraform and OpenTofu.
terraform {
  required_providers {
    scm = {
      source  = "PaloAltoNetworks/scm"
      version = "~> 1.0"
    }
  }
}

# The action sets TF_VAR_scm_auth_file. An ephemeral variable (Terraform 1.10, OpenTofu 1.11) is not stored in a saved
# plan, so another job can apply the plan with its own auth file.
variable "scm_auth_file" { ephemeral = true }
provider "scm" { auth_file = var.scm_auth_file }

resource "scm_tag" "edge" {
  folder = "Shared"
  name   = "edge"
  color  = "Red"
}

resource "scm_address" "web" {
  folder     = "Shared"
  name       = "web"
  ip_netmask = "192.0.2.10/32"
  tag        = [scm_tag.edge.name]
}

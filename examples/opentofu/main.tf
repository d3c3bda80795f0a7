# A tag and an address in Strata Cloud Manager, for Terraform and OpenTofu alike.
terraform {
  required_providers {
    scm = {
      source  = "PaloAltoNetworks/scm"
      version = "~> 1.0"
    }
  }
}

# The action sets TF_VAR_scm_auth_file. Ephemeral (Terraform 1.10, OpenTofu 1.11): the path goes into no plan, so that
# another job, with its own file, can apply it.
variable "scm_auth_file" {
  type      = string
  ephemeral = true
}

provider "scm" {
  auth_file = var.scm_auth_file
}

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

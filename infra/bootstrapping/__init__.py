"""`infra/bootstrap`: what must be there before Terraform can plan an installation."""

variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the builds run"
  type        = string
}

variable "environment" {
  description = "The installation"
  type        = string
}

variable "repository" {
  description = "Cloud Build's connection to the repository: projects/.../connections/.../repositories/..."
  type        = string
}

variable "approved" {
  description = "Whether a person must agree; then a version's tag is released, else each push to main"
  type        = bool
}

variable "checks" {
  description = "Whether pull requests are tested in this project"
  type        = bool
}

variable "substitutions" {
  description = "What cloudbuild.yaml must be told"
  type        = map(string)
}

variable "deployer" {
  description = "The releasing account, as an IAM member"
  type        = string
}

variable "deployer_name" {
  description = "Its resource name"
  type        = string
}

variable "checker" {
  description = "The account that tests pull requests, as an IAM member"
  type        = string
}

variable "checker_name" {
  description = "Its resource name"
  type        = string
}

variable "acts_as" {
  description = "Resource names of the accounts that a release runs things as"
  type        = map(string)
}

variable "grantable_roles" {
  description = "The project's roles that the installation gives"
  type        = list(string)
}

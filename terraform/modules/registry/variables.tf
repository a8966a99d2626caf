variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the images are kept"
  type        = string
}

variable "writers" {
  description = "Who may put images into each repository, as an IAM member"
  type        = map(string)
}

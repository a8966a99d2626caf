variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "readers" {
  description = "Who may read each secret: secret -> function -> IAM member"
  type        = map(map(string))
}

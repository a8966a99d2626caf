variable "project_id" {
  description = "The project of the installation"
  type        = string
}

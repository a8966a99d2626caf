variable "project_id" {
  description = "The Firebase project"
  type        = string
}

variable "domains" {
  description = "Hosts whose pages may sign people in"
  type        = list(string)
}

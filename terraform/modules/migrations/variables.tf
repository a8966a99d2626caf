variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the job runs"
  type        = string
}

variable "service_account" {
  description = "The schema's owner"
  type        = string
}

variable "first_image" {
  description = "What the job is made with; each release sets its own"
  type        = string
}

variable "network" {
  description = "How it joins the network"
  type        = object({ network = string, subnetwork = string, tags = list(string) })
}

variable "settings" {
  description = "What migrations/run.py reads from its environment"
  type        = map(string)
}

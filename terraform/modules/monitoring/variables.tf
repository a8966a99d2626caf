variable "project_id" {
  description = "Project of the installation"
  type        = string
}

variable "project_number" {
  description = "Its number"
  type        = string
}

variable "email" {
  description = "Who is told"
  type        = string
}

variable "runbooks" {
  description = "Where infra/runbook can be read; a path of the repository, or a URL"
  type        = string
}

variable "billing_account" {
  description = "Whose bill is watched; null: none"
  type        = string
}

variable "deployer" {
  description = "Who releases, as a member of a policy"
  type        = string
}

variable "monthly_usd" {
  description = "The budget of a month"
  type        = number
}

variable "host" {
  description = "The front door's host"
  type        = string
}

variable "health_paths" {
  description = "Where each public function says through the front door that it is ready"
  type        = map(string)
}

variable "public_services" {
  description = "Cloud Run services behind the front door"
  type        = list(string)
}

variable "queues" {
  description = "Names of the queues"
  type        = list(string)
}

variable "database_instance" {
  description = "The database's instance"
  type        = string
}

variable "most_connections" {
  description = "Connections that the database takes"
  type        = number
}

variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the database is"
  type        = string
}

variable "peered_network" {
  description = "The network in which Google's services are reached"
  type        = string
}

variable "tier" {
  description = "The machine, such as db-custom-4-16384"
  type        = string
}

variable "highly_available" {
  description = "Whether a second machine stands by in another zone"
  type        = bool
}

variable "disk_gb" {
  description = "First size of the disk; it grows by itself"
  type        = number
}

variable "kept_backups" {
  description = "Daily backups that are kept"
  type        = number
}

variable "max_connections" {
  description = "Connections that the server takes"
  type        = number
}

variable "head_room" {
  description = "Connections kept for migrations, people and Google itself"
  type        = number
  default     = 20
}

variable "pools" {
  description = "Each function's most instances and connections an instance"
  type        = map(object({ max_instances = number, pool_size = number }))
}

variable "logins" {
  description = "Each function's login"
  type        = map(string)
}

variable "owner_login" {
  description = "The migrations' login"
  type        = string
}

variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the functions run"
  type        = string
}

variable "functions_range" {
  description = "Addresses of the functions' instances: two to four for each instance at the peak"
  type        = string
  default     = "10.10.0.0/22"
}

variable "services_range" {
  description = "Addresses that Google gives to the database"
  type        = string
  default     = "10.20.0.0/16"
}

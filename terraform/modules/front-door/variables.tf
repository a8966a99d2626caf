variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the functions run"
  type        = string
}

variable "domain" {
  description = "The host that leads here; null: a name made of the address"
  type        = string
}

variable "routes" {
  description = "Which function answers each prefix"
  type        = map(string)
}

variable "services" {
  description = "The Cloud Run service of each function that has a prefix"
  type        = map(string)
}

variable "web_bucket" {
  description = "The bucket of the web pages"
  type        = string
}

variable "requests_per_minute" {
  description = "Requests from one address before it is told 429"
  type        = number
  default     = 1200
}

variable "webhooks_per_minute" {
  description = "The same for vendors' webhooks"
  type        = number
  default     = 60000
}

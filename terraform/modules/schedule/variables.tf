variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the jobs are"
  type        = string
}

variable "jobs" {
  description = "Each route's rhythm, as cron writes it, in UTC"
  type        = map(string)
}

variable "target_url" {
  description = "The cleanup function's own address; also the tokens' audience"
  type        = string
}

variable "invoker_email" {
  description = "The account whose token a call carries"
  type        = string
}

variable "deadline_seconds" {
  description = "How long an answer is waited for"
  type        = number
}

variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the queues are"
  type        = string
}

variable "prefix" {
  description = "TASKS_QUEUE: each queue is this, a dash and its kind"
  type        = string
}

variable "kinds" {
  description = "Each kind's most tasks a second, and its share of what the tasks function can do at once"
  type        = map(object({ per_second = number, share = number }))

  validation {
    condition     = alltrue([for it in var.kinds : it.per_second <= 500])
    error_message = "Cloud Tasks hands out 500 a second at most."
  }

  validation {
    condition     = sum([for it in var.kinds : it.share]) <= 1
    error_message = "The shares are more than the whole."
  }
}

variable "capacity" {
  description = "Requests that the tasks function takes at once"
  type        = number
}

variable "enqueuers" {
  description = "The functions that set alarms, as IAM members"
  type        = map(string)
}

variable "invoker_name" {
  description = "Resource name of the account whose token a task carries"
  type        = string
}

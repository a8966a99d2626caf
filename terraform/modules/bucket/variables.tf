variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "name" {
  description = "The bucket's name, unique in the world"
  type        = string
}

variable "location" {
  description = "Region of the data"
  type        = string
}

variable "public" {
  description = "Whether it is a web site that anybody may read"
  type        = bool
  default     = false
}

variable "versioned" {
  description = "Whether what is overwritten is kept for 30 days"
  type        = bool
  default     = false
}

variable "soft_delete_days" {
  description = "For how long deleted objects can be had back"
  type        = number
  default     = 7
}

variable "delete_after_days" {
  description = "Age at which objects go; null: never"
  type        = number
  default     = null
}

variable "nearline_after_days" {
  description = "Age from which objects are kept where storing is cheap and reading is not; null: never"
  type        = number
  default     = null
}

variable "origins" {
  description = "Browser origins that may read objects"
  type        = list(string)
  default     = []
}

variable "grants" {
  description = "Who may do what: role -> name -> IAM member"
  type        = map(map(string))
  default     = {}
}

variable "methods" {
  description = "What browsers of these origins may do with signed URLs"
  type        = list(string)
  default     = ["GET", "HEAD"]
}

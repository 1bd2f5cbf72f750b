variable "name" {
  description = "Name of the service, and of its stack: at most 44 letters, digits and hyphens, a letter first."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the servers."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the servers and of the functions that ask them, at most six."
  type        = list(string)
}

variable "load_balancer_security_group_id" {
  description = "Security group of the load balancer."
  type        = string
}

variable "listeners" {
  description = "The listeners and listener rules whose forward actions carry the service's traffic, each with two to five target groups of its own, in the same order of environments. Each forwards to its first when all of this is made."
  type = list(object({
    arn               = string
    target_group_arns = list(string)
  }))
}

variable "image_id" {
  description = "Image of a server."
  type        = string
}

variable "instance_type" {
  description = "Instance type of a server."
  type        = string
  default     = "t3.small"
}

variable "user_data" {
  description = "What a server runs when it boots."
  type        = string
  default     = ""
}

variable "servers" {
  description = "How many servers there are at first."
  type        = number
  default     = 3
}

variable "traffic_port" {
  description = "Port on which a server takes traffic."
  type        = number
  default     = 8080
}

variable "session_port" {
  description = "Private port of a server's session endpoint."
  type        = number
  default     = 9000
}

variable "volume_key_arn" {
  description = "ARN of a KMS key of your own that encrypts the servers' volumes, or empty."
  type        = string
  default     = ""
}

variable "template_url" {
  description = "Address in S3 of Ebbtide's packaged template."
  type        = string
}

variable "parameters" {
  description = "More parameters of Ebbtide's stack, such as BakeSeconds or AlertTopicArn."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of Ebbtide's stack, which hands them on."
  type        = map(string)
  default     = {}
}

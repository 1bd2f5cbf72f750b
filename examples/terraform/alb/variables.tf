variable "name" {
  description = "Name of the service: at most 20 letters, digits and hyphens, a letter first."
  type        = string
}

variable "vpc_id" {
  description = "VPC of load balancer and servers."
  type        = string
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Subnets of the servers."
  type        = list(string)
}

variable "certificate_arn" {
  description = "Certificate of the listener."
  type        = string
}

variable "image_id" {
  description = "Image of a server."
  type        = string
}

variable "template_url" {
  description = "Address in S3 of Ebbtide's packaged template."
  type        = string
}

variable "parameters" {
  description = "More parameters of Ebbtide's stack."
  type        = map(string)
  default     = {}
}

variable "traffic_port" {
  description = "Port on which a server takes traffic."
  type        = number
  default     = 8080
}

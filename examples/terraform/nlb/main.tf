# A service behind an NLB that ends TLS. An NLB has rules only to tell IPv4 from IPv6, so Ebbtide has the default action.

locals {
  environments = ["a", "b"]
}

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.name}-nlb-"
  description = "Load balancer of ${var.name}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "users" {
  security_group_id = aws_security_group.load_balancer.id
  description       = "Users"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_lb" "this" {
  name               = var.name
  load_balancer_type = "network"
  security_groups    = [aws_security_group.load_balancer.id]
  subnets            = var.public_subnet_ids
}

# Two: AWS documents no more for an action of an NLB. A third may work; the first deployment says so if it does not.
resource "aws_lb_target_group" "environment" {
  for_each = toset(local.environments)

  name     = "${var.name}-${each.key}"
  port     = var.traffic_port
  protocol = "TCP"
  vpc_id   = var.vpc_id

  # Both would cut sessions of a server that is merely slow to answer its health check.
  connection_termination = false

  target_health_state {
    enable_unhealthy_connection_termination = false
  }

  health_check {
    protocol = "HTTP"
    path     = "/healthz"
  }

  # A zone leaves the load balancer's DNS while one group of the action, weight 0 too, has no healthy target in it. The
  # plan refuses groups with any other value here, unless the load balancer crosses zones.
  target_group_health {
    dns_failover {
      minimum_healthy_targets_count      = "off"
      minimum_healthy_targets_percentage = "off"
    }
  }
}

resource "aws_lb_listener" "tls" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "TLS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  # Where it begins. From then on the action is Ebbtide's.
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.environment["a"].arn
  }

  lifecycle {
    ignore_changes = [default_action]
  }
}

module "service" {
  source = "../service"

  name                            = var.name
  vpc_id                          = var.vpc_id
  subnet_ids                      = var.private_subnet_ids
  load_balancer_security_group_id = aws_security_group.load_balancer.id
  listeners = [{
    arn               = aws_lb_listener.tls.arn
    target_group_arns = [for name in local.environments : aws_lb_target_group.environment[name].arn]
  }]
  image_id                        = var.image_id
  traffic_port                    = var.traffic_port
  template_url                    = var.template_url
  parameters                      = var.parameters
}

output "state_machine_arn" {
  description = "Start an execution of it with the input {} to deploy."
  value       = module.service.state_machine_arn
}

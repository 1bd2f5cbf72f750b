# A service behind an ALB. Ebbtide has a rule of its own, so that changes to the listener never touch its weights.

locals {
  environments = ["a", "b", "c"]
}

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.name}-alb-"
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
  load_balancer_type = "application"
  security_groups    = [aws_security_group.load_balancer.id]
  subnets            = var.public_subnet_ids

  # Longer than PingSeconds, or the load balancer cuts sessions that are silent.
  idle_timeout = 120
}

# One serves, the others take turns as green. Targets are registered by their groups, never from here.
resource "aws_lb_target_group" "environment" {
  for_each = toset(local.environments)

  name     = "${var.name}-${each.key}"
  port     = var.traffic_port
  protocol = "HTTP"
  vpc_id   = var.vpc_id

  health_check {
    path = "/healthz"
  }

  # An empty environment would make Route 53 call the whole load balancer unhealthy.
  target_group_health {
    dns_failover {
      minimum_healthy_targets_count      = "off"
      minimum_healthy_targets_percentage = "off"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "service" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 100

  condition {
    path_pattern {
      values = ["/*"]
    }
  }

  # Where it begins. From then on the action is Ebbtide's.
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.environment["a"].arn
  }

  lifecycle {
    ignore_changes = [action]
  }
}

module "service" {
  source = "../service"

  name                            = var.name
  vpc_id                          = var.vpc_id
  subnet_ids                      = var.private_subnet_ids
  load_balancer_security_group_id = aws_security_group.load_balancer.id
  listeners = [{
    arn               = aws_lb_listener_rule.service.arn
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

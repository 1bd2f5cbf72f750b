# The servers: who may reach them, what they are, and the groups that launch them.

resource "aws_security_group" "server" {
  name_prefix = "${var.name}-server-"
  description = "Servers of ${var.name}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "traffic" {
  security_group_id            = aws_security_group.server.id
  description                  = "Traffic and health checks from the load balancer"
  referenced_security_group_id = var.load_balancer_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.traffic_port
  to_port                      = var.traffic_port
}

resource "aws_vpc_security_group_ingress_rule" "sessions" {
  security_group_id            = aws_security_group.server.id
  description                  = "The session endpoint, for Ebbtide and nobody else"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = var.session_port
  to_port                      = var.session_port
}

resource "aws_vpc_security_group_egress_rule" "server" {
  security_group_id = aws_security_group.server.id
  description       = "Whatever a server needs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_vpc_security_group_egress_rule" "to_servers" {
  security_group_id            = var.load_balancer_security_group_id
  description                  = "Traffic and health checks of ${var.name}"
  referenced_security_group_id = aws_security_group.server.id
  ip_protocol                  = "tcp"
  from_port                    = var.traffic_port
  to_port                      = var.traffic_port
}

resource "aws_iam_role" "server" {
  name_prefix = "${substr(var.name, 0, 30)}-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_instance_profile" "server" {
  name_prefix = "${substr(var.name, 0, 30)}-"
  role        = aws_iam_role.server.name
}

# A new release is a new version of this template. An apply makes it; nothing is launched before a deployment is started.
resource "aws_launch_template" "server" {
  name_prefix            = "${var.name}-"
  image_id               = var.image_id
  instance_type          = var.instance_type
  user_data              = base64encode(var.user_data)
  update_default_version = true

  # On the template itself: a network interface in it would have a subnet of its own, and the plan refuses it.
  vpc_security_group_ids = [aws_security_group.server.id]

  iam_instance_profile {
    arn = aws_iam_instance_profile.server.arn
  }

  metadata_options {
    http_tokens = "required"
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = var.name }
  }
}

# A group for each environment. The first one serves at the beginning, the others are parked until their turn comes: from
# then on deployments have the sizes, and the version that each launches.
resource "aws_autoscaling_group" "server" {
  count                 = length(var.listeners[0].target_group_arns)
  name                  = "${var.name}-${count.index}"
  min_size              = count.index == 0 ? var.servers : 0
  max_size              = count.index == 0 ? var.servers : 0
  desired_capacity      = count.index == 0 ? var.servers : 0
  vpc_zone_identifier   = var.subnet_ids
  target_group_arns     = [for listener in var.listeners : listener.target_group_arns[count.index]]
  health_check_type     = "ELB"
  protect_from_scale_in = true

  # A number: with "$Latest" a scale-out would launch the next release beside this one.
  launch_template {
    id      = aws_launch_template.server.id
    version = aws_launch_template.server.latest_version
  }

  # Without it Ebbtide may neither hold the group nor end its servers, and the plan refuses it.
  tag {
    key                 = "ebbtide:service"
    value               = var.name
    propagate_at_launch = false
  }

  lifecycle {
    ignore_changes = [
      min_size,
      max_size,
      desired_capacity,
      suspended_processes,
      tag,
      launch_template[0].version,
    ]
  }
}

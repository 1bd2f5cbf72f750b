# Ebbtide for this service: the stack, and what its functions need to reach the servers.

resource "aws_security_group" "functions" {
  name_prefix = "${var.name}-ebbtide-"
  description = "Functions that ask the servers of ${var.name}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

# The session port; TestPaths would need the port that they are asked on, too.
resource "aws_vpc_security_group_egress_rule" "sessions" {
  security_group_id            = aws_security_group.functions.id
  description                  = "The session endpoint"
  referenced_security_group_id = aws_security_group.server.id
  ip_protocol                  = "tcp"
  from_port                    = var.session_port
  to_port                      = var.session_port
}

resource "aws_cloudformation_stack" "ebbtide" {
  name         = var.name
  template_url = var.template_url
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  tags         = var.tags

  parameters = merge({
    ServiceName              = var.name
    ListenerArn              = join(",", var.listeners[*].arn)
    TargetGroupArns          = join(",", flatten(var.listeners[*].target_group_arns))
    AutoScalingGroupNames    = join(",", aws_autoscaling_group.server[*].name)
    LaunchTemplateId         = aws_launch_template.server.id
    InstanceRoleArn          = aws_iam_role.server.arn
    SessionPort              = tostring(var.session_port)
    FunctionSubnetIds        = join(",", var.subnet_ids)
    FunctionSecurityGroupIds = aws_security_group.functions.id
  }, var.parameters)
}

# Without these, instances with volumes under a key of your own end by themselves (docs/account.md).
resource "aws_iam_role_policy" "volumes" {
  count = var.volume_key_arn == "" ? 0 : 1
  name  = "volumes"
  role  = aws_cloudformation_stack.ebbtide.outputs["LaunchGreenRole"]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"]
        Resource = var.volume_key_arn
      },
      {
        Effect    = "Allow"
        Action    = "kms:CreateGrant"
        Resource  = var.volume_key_arn
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
    ]
  })
}

output "state_machine_arn" {
  description = "Start an execution of it with the input {} to deploy."
  value       = aws_cloudformation_stack.ebbtide.outputs["StateMachineArn"]
}

output "launch_template_id" {
  description = "The template that the next deployment launches from."
  value       = aws_launch_template.server.id
}

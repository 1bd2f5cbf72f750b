"""EC2's launches as AWS makes and refuses them: client tokens, templates, roles; and instances that end or are forgotten.

Stock moto launches anew whenever RunInstances is repeated. Here a client token launches once; with other parameters it
is refused, and so it is when everything that it launched has ended:
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html

Stock moto launches from templates that RunInstances does not take, which Auto Scaling groups and fleets do:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html

Who calls is not known here. A launch with a client token counts as a function's: from a template with an instance
profile it needs the right to pass a role, which the harness grants as the stack's parameters do:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

import threading

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import StateReason
from moto.ec2.responses.instances import InstanceResponse
from moto.elbv2.models import elbv2_backends

stock_run_instances = InstanceResponse.run_instances


class Launches:
    """What each client token launched; a call with one waits for the call before it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.by_token = {}
        self.passes_role = False

    def run(self, response):
        token = response._get_param("ClientToken")
        data = template_data(response)
        refuse_template(response, data)
        if not token:
            return stock_run_instances(response)
        if data.get("IamInstanceProfile") and not self.passes_role:
            raise EC2ClientError(
                "UnauthorizedOperation",
                "You are not authorized to perform this operation. No identity-based policy allows the iam:PassRole action.",
            )
        asked = sorted((name, str(value)) for name, value in response.querystring.items())
        key = (response.current_account, response.region, token)
        with self.lock:
            if key not in self.by_token:
                self.by_token[key] = (asked, stock_run_instances(response))
                return self.by_token[key][1]
            first, launched = self.by_token[key]
        if first != asked:
            raise EC2ClientError(
                "IdempotentParameterMismatch",
                "The client token has been used before, with other parameters.",
            )
        if all(instance.state == "terminated" for instance in launched.result.instances):
            raise EC2ClientError(
                "IdempotentInstanceTerminated",
                "The client token is associated with instances that are terminated already. Use another one.",
            )
        return launched


def template_data(response):
    """The data of the launch template's version that a call names; empty if it names none."""
    template = response._get_param("LaunchTemplate", {})
    return response.ec2_backend._get_template_from_args(template).data if template else {}


def refuse_template(response, data):
    """Refuses what the call and its template together cannot launch."""

    def refused(words):
        raise EC2ClientError("InvalidParameterCombination", words)

    if response._get_param("SubnetId"):
        if data.get("NetworkInterfaces"):
            refused("Network interfaces and an instance-level subnet ID may not be specified on the same request")
        if data.get("SecurityGroups"):
            refused("The parameter groupName cannot be used with the parameter subnet")
    if data.get("InstanceRequirements"):
        refused("Instance requirements are not supported by RunInstances")
    if not (response._get_param("ImageId") or data.get("ImageId")):
        raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")


def forget_ended(backend):
    """Forgets every terminated instance, as EC2 does about an hour after its end:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html
    """
    for key, reservation in list(backend.reservations.items()):
        reservation.instances = [instance for instance in reservation.instances if instance.state != "terminated"]
        if not reservation.instances:
            del backend.reservations[key]


def end(backend, instance_id, code, message):
    """Ends an instance as AWS itself does, and says why:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
    """
    instance = backend.get_instance(instance_id)
    instance.terminate()
    instance.state_reason = StateReason(message, code)
    elbv2_backends[backend.account_id][backend.region_name].notify_terminate_instances([instance_id])


launches = Launches()


def run_instances(self):
    return launches.run(self)


def install():
    InstanceResponse.run_instances = run_instances

"""What a build calls as `aws`: one call of EC2, held against AWS's own model of it and answered by moto.

moto's account is new and has one launch template with one version, whatever id the caller gives, so the call makes version 2. The
call as it was made goes to the file that EBBTIDE_CALL names.
"""

import json
import os
import sys

import boto3
import jmespath
from botocore import xform_name
from moto import mock_aws

service, operation, *words = sys.argv[1:]
options = dict(zip(words[::2], words[1::2], strict=True))
query, output = options.pop("--query"), options.pop("--output")
assert output == "text"
with mock_aws():
    client = boto3.client(service, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {"--" + xform_name(name, "-"): name for name in model.input_shape.members}
    call = {members[option]: json.loads(value) if value.startswith("{") else value for option, value in options.items()}
    known = client.create_launch_template(LaunchTemplateName="tunnel", LaunchTemplateData={"ImageId": "ami-00000000000000000"})
    answer = getattr(client, method)(**{**call, "LaunchTemplateId": known["LaunchTemplate"]["LaunchTemplateId"]})
with open(os.environ["EBBTIDE_CALL"], "w") as file:
    json.dump({"action": f"{service}:{model.name}", **call}, file)
print(jmespath.search(query, answer))

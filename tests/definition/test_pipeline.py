"""The pipeline's template: what it starts, in which order, and that its roles may do no more. Each rule is shown to bite."""

import json
import re
from collections import Counter

import pytest
import yaml
from cfnlint import lint
from definition import NOTHING, ROOT, holds, pipeline, resources, strings, template
from test_launch_policy import DATA
from test_pages import ACTION_ID, LONGEST_EXECUTION_NAME
from test_template import actions, admitted, statements

PAGE = (ROOT / "docs/pipeline.md").read_text()
BUCKET, OBJECTS = {"Fn::GetAtt": ["Artifacts", "Arn"]}, {"Fn::Sub": "${Artifacts.Arn}/*"}
STATES = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
MACHINE = {"Fn::Sub": f"{STATES}:stateMachine:${{EbbtideStack}}"}
TEMPLATE = {"Fn::Sub": "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:launch-template/${LaunchTemplateId}"}
# What CodePipeline needs for each action, and what anything needs that has a part of the artifacts: on what. The template names
# AWS's pages.
OF_AN_ACTION = {
    "CodeStarSourceConnection": {f"{name}:UseConnection": {"Ref": "ConnectionArn"} for name in ("codeconnections", "codestar-connections")},
    "CodeBuild": {f"codebuild:{name}": {"Fn::GetAtt": ["Build", "Arn"]} for name in ("BatchGetBuilds", "StartBuild")},
    "Manual": {"sns:Publish": {"Ref": "ApprovalTopicArn"}},
    "StepFunctions": {"states:DescribeStateMachine": MACHINE, "states:StartExecution": MACHINE,
                      "states:DescribeExecution": {"Fn::Sub": f"{STATES}:execution:${{EbbtideStack}}:*"}},
}
OF_ARTIFACTS = {"s3:GetBucketAcl": BUCKET, "s3:GetBucketLocation": BUCKET, "s3:GetObject": OBJECTS, "s3:GetObjectVersion": OBJECTS,
                "s3:PutObject": OBJECTS}
OF_THE_PIPELINE = {"s3:GetBucketVersioning": BUCKET, **{f"s3:{name}": OBJECTS for name in (
    "GetObjectTagging", "GetObjectVersionTagging", "PutObjectAcl", "PutObjectTagging")}}
OF_A_BUILD = {f"logs:{name}": {"Fn::GetAtt": ["Logs", "Arn"]} for name in ("CreateLogStream", "PutLogEvents")}
OF_A_COMMAND = {"ec2:CreateLaunchTemplateVersion": TEMPLATE}


def properties(tree, name):
    return tree()["Resources"][name]["Properties"]


def buildspec(tree):
    """The template's own, which a path in the repository takes the place of."""
    condition, theirs, own = properties(tree, "Build")["Source"]["BuildSpec"]["Fn::If"]
    assert (condition, theirs) == ("HasBuildspec", {"Ref": "Buildspec"})
    return yaml.safe_load(own)


def stages(tree):
    return properties(tree, "Pipeline")["Stages"]


def steps(tree):
    """(stage, condition, action) for every action, in the order in which they run."""
    for stage in stages(tree):
        for entry in stage["Actions"]:
            condition, action, other = entry.get("Fn::If", [None, entry, NOTHING])
            assert other == NOTHING
            yield stage["Name"], condition, action


def provider(action):
    return action["ActionTypeId"]["Provider"]


def step(tree, name):
    (action,) = [action for _, _, action in steps(tree) if provider(action) == name]
    return action


def every_parameter_is_described_bounded_grouped_and_used(tree):
    grouped = Counter(name for group in tree()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"])
    assert grouped == Counter(list(tree()["Parameters"]))
    used = {name for part in ("Conditions", "Resources") for path, text in strings(tree()[part])
            for name in ([text] if path.endswith("/Ref") else re.findall(r"\$\{(\w+)\}", text))}
    for name, parameter in tree()["Parameters"].items():
        assert len(parameter.get("Description", "")) > 20 and name in used, name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter), name
        assert "AllowedPattern" not in parameter or parameter["ConstraintDescription"], name
        assert parameter["Type"] != "Number" or "AllowedValues" in parameter or {"MinValue", "MaxValue"} <= set(parameter), name


def every_parameter_is_on_the_page_with_its_default(tree, page=PAGE):
    table = page.split("\n| parameter | default | |\n")[1].split("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE))
    shown = {name: f"`{parameter['Default']}`" if parameter.get("Default", "") != "" else "" for name, parameter in tree()["Parameters"].items()}
    assert told == {name: default if "Default" in tree()["Parameters"][name] else "**needed**" for name, default in shown.items()}


def every_role_may_do_what_its_work_needs_and_no_more(tree):
    needed = {role: {} for role in ("PipelineRole", "BuildRole")}
    for _, _, action in steps(tree):
        needed["PipelineRole"] |= OF_AN_ACTION[provider(action)]
    needed["PipelineRole"] |= OF_ARTIFACTS | OF_THE_PIPELINE
    commands = "\n".join(buildspec(tree)["phases"]["build"]["commands"])
    called = {f"{service}:{''.join(word.title() for word in operation.split('-'))}" for service, operation in re.findall(r"\baws ([a-z0-9]+) ([a-z-]+)", commands)}
    needed["BuildRole"] = OF_ARTIFACTS | OF_A_BUILD | {action: OF_A_COMMAND[action] for action in called}
    has = {}
    for role, statement in statements(tree):
        assert statement["Effect"] == "Allow" and "Condition" not in statement, role
        for action in actions(statement):
            assert action not in has.setdefault(role, {}), action
            has[role][action] = statement["Resource"]
    assert has == needed
    assert "ManagedPolicyArns" not in properties(tree, "PipelineRole")
    assert properties(tree, "BuildRole")["ManagedPolicyArns"] == {"Fn::If": ["HasBuildPolicy", [{"Ref": "BuildPolicyArn"}], NOTHING]}


def every_permission_is_one_of_aws_that_knows_a_resource(tree):
    for role, statement in statements(tree):
        assert statement["Resource"] != "*", role
        for action in actions(statement):
            service, name = action.split(":")
            known = json.loads((DATA.parent / f"{service}.json").read_text())
            assert known.get(name.lower(), {}).get("resourceTypes"), action


def whoever_approves_is_told_by_the_role_under_the_same_condition(tree):
    given = properties(tree, "PipelineRole")["Policies"][0]["PolicyDocument"]["Statement"][-1]["Fn::If"]
    assert given[0] == "TellsOfApproval" and given[1]["Action"] == "sns:Publish" and given[2] == NOTHING
    assert step(tree, "Manual")["Configuration"]["NotificationArn"] == {"Fn::If": ["TellsOfApproval", {"Ref": "ApprovalTopicArn"}, NOTHING]}


def each_role_is_for_one_service_and_as_the_account_demands(tree):
    for name, service in (("PipelineRole", "codepipeline"), ("BuildRole", "codebuild")):
        role = properties(tree, name)
        assert role["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}], name
        assert role.get("PermissionsBoundary") == {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, NOTHING]}, name
        assert role.get("Path") == {"Fn::If": ["HasRolePath", {"Ref": "RolePath"}, NOTHING]}, name
    assert properties(tree, "Pipeline")["RoleArn"] == {"Fn::GetAtt": ["PipelineRole", "Arn"]}
    assert properties(tree, "Build")["ServiceRole"] == {"Fn::GetAtt": ["BuildRole", "Arn"]}


def every_artifact_is_made_before_it_is_taken(tree):
    made = set()
    for _, _, action in steps(tree):
        assert {it["Name"] for it in action.get("InputArtifacts", [])} <= made, action["Name"]
        made |= {it["Name"] for it in action.get("OutputArtifacts", [])}


def the_deployment_s_input_is_the_file_that_the_build_makes(tree):
    build, deploy = step(tree, "CodeBuild"), step(tree, "StepFunctions")
    assert deploy["InputArtifacts"] == build["OutputArtifacts"] and len(build["OutputArtifacts"]) == 1
    assert deploy["Configuration"]["InputType"] == "FilePath"
    assert buildspec(tree)["artifacts"] == {"files": [deploy["Configuration"]["Input"]]}
    assert build["Configuration"]["ProjectName"] == {"Ref": "Build"}
    assert {properties(tree, "Build")[part]["Type"] for part in ("Source", "Artifacts")} == {"CODEPIPELINE"}


def a_build_knows_the_commit(tree):
    source, build = step(tree, "CodeStarSourceConnection"), step(tree, "CodeBuild")
    (variable,) = json.loads(build["Configuration"]["EnvironmentVariables"])
    assert variable == {"name": "RELEASE", "value": f"#{{{source['Namespace']}.CommitId}}", "type": "PLAINTEXT"}


def the_state_machine_is_the_stack_s(tree):
    assert step(tree, "StepFunctions")["Configuration"]["StateMachineArn"] == MACHINE
    assert resources("AWS::Serverless::StateMachine")["Deployment"]["Name"] == {"Ref": "AWS::StackName"}
    assert template()["Outputs"]["StateMachineArn"]["Value"] == {"Ref": "Deployment"}
    assert "The stack's name may have 44 characters" in (ROOT / "README.md").read_text()
    assert [admitted("EbbtideStack", "x" * length, tree) for length in (0, 1, 44, 45)] == [False, True, True, False]
    same = template()["Parameters"]["LaunchTemplateId"]["AllowedPattern"].removeprefix("|")
    assert tree()["Parameters"]["LaunchTemplateId"]["AllowedPattern"] == same


def every_execution_has_a_name_that_step_functions_takes(tree):
    assert step(tree, "StepFunctions")["Configuration"]["ExecutionNamePrefix"] == {"Ref": "ExecutionNamePrefix"}
    most = LONGEST_EXECUTION_NAME - ACTION_ID - len("-")
    assert [admitted("ExecutionNamePrefix", "x" * length, tree) for length in (0, 1, most, most + 1)] == [False, True, True, False]
    assert not any(admitted("ExecutionNamePrefix", name, tree) for name in ("a b", "a.b", "#{Merge.BranchName}"))


def one_merge_is_deployed_at_a_time_the_newest_next_and_none_again(tree):
    assert properties(tree, "Pipeline")["PipelineType"] == "V2" and properties(tree, "Pipeline")["ExecutionMode"] == "SUPERSEDED"
    assert [stage["Name"] for stage in stages(tree)] == ["Source", "Build", "Deploy"]
    assert not any("OnFailure" in stage for stage in stages(tree))


def an_approval_comes_right_before_the_deployment(tree):
    last = stages(tree)[-1]["Name"]
    (approve, asked, first), (deploy, always, second) = [
        (stage, condition, action) for stage, condition, action in steps(tree) if provider(action) in ("Manual", "StepFunctions")]
    assert approve == deploy == last and (asked, always) == ("IsApproved", None)
    assert provider(first) == "Manual" and first["RunOrder"] == 1 and second["RunOrder"] == {"Fn::If": ["IsApproved", 2, 1]}


def artifacts_are_nobody_else_s_and_as_codepipeline_wants_them(tree):
    bucket = properties(tree, "Artifacts")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"} and set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4 and tree()["Resources"]["Artifacts"]["DeletionPolicy"] == "Retain"
    (deny,) = properties(tree, "EncryptedWays")["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} and deny["Resource"] == [BUCKET, OBJECTS]
    assert properties(tree, "Pipeline")["ArtifactStore"] == {"Type": "S3", "Location": {"Ref": "Artifacts"}}


def the_linter_has_nothing_to_say(tree):
    assert [str(match) for match in lint(json.dumps(tree()), regions=["us-east-1"])] == []


def the_page_lists_what_a_boundary_must_leave(tree):
    listed = re.search(r"<!-- every action of the pipeline's policies -->\n```\n(.*?)```", PAGE, re.DOTALL).group(1).split()
    assert listed == sorted({action for _, statement in statements(tree) for action in actions(statement)})


def statement(tree, role, sid):
    (found,) = [s for name, s in statements(tree) if name == role and s["Sid"] == sid]
    return found


def stage(tree, name):
    return next(it for it in stages(tree) if it["Name"] == name)


# Each rule with templates that break it: by a word, a permission, an order.
BROKEN = {
    every_parameter_is_described_bounded_grouped_and_used: [
        lambda t: t()["Parameters"]["Branch"].pop("AllowedPattern"),
        lambda t: t()["Parameters"]["BuildMinutes"].pop("MaxValue"),
        lambda t: t()["Parameters"]["Branch"].update(Description="Branch"),
        lambda t: t()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].pop(),
        lambda t: properties(t, "Logs").update(RetentionInDays=7) or properties(t, "Artifacts").pop("LifecycleConfiguration"),
    ],
    every_parameter_is_on_the_page_with_its_default: [
        lambda t: t()["Parameters"].update(Colour=t()["Parameters"]["Branch"]),
        lambda t: t()["Parameters"].pop("Branch"),
        lambda t: t()["Parameters"]["Branch"].update(Default="master"),
        lambda t: t()["Parameters"]["EbbtideStack"].update(Default="ebbtide"),
    ],
    every_role_may_do_what_its_work_needs_and_no_more: [
        lambda t: statement(t, "PipelineRole", "Deploy").update(Resource="*"),
        lambda t: statement(t, "PipelineRole", "FollowTheDeployment").update(Resource={"Fn::Sub": f"{STATES}:execution:*:*"}),
        lambda t: statement(t, "PipelineRole", "FollowTheDeployment").update(Resource=MACHINE),
        lambda t: statement(t, "PipelineRole", "Build")["Action"].append("codebuild:StopBuild"),
        lambda t: statement(t, "PipelineRole", "Deploy")["Action"].remove("states:DescribeStateMachine"),
        lambda t: statement(t, "BuildRole", "NameTheRelease").update(Action=["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"]),
        lambda t: statement(t, "BuildRole", "NameTheRelease").update(
            Resource={"Fn::Sub": "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:launch-template/*"}),
        lambda t: statement(t, "BuildRole", "HandArtifactsOn").update(Resource=BUCKET),
        lambda t: properties(t, "PipelineRole").update(ManagedPolicyArns=["arn:aws:iam::aws:policy/AWSCodePipeline_FullAccess"]),
        lambda t: stage(t, "Build").update(Actions=[]),
    ],
    every_permission_is_one_of_aws_that_knows_a_resource: [
        lambda t: statement(t, "PipelineRole", "Deploy")["Action"].append("states:StartExecutions"),
        lambda t: statement(t, "BuildRole", "NameTheRelease").update(Action="ec2:DescribeLaunchTemplateVersions"),
        lambda t: statement(t, "BuildRole", "NameTheRelease").update(Resource="*"),
    ],
    whoever_approves_is_told_by_the_role_under_the_same_condition: [
        lambda t: step(t, "Manual")["Configuration"].update(NotificationArn={"Ref": "ApprovalTopicArn"}),
        lambda t: properties(t, "PipelineRole")["Policies"][0]["PolicyDocument"]["Statement"][-1].update({"Fn::If": [
            "IsApproved", statement(t, "PipelineRole", "TellOfTheApproval"), NOTHING]}),
    ],
    each_role_is_for_one_service_and_as_the_account_demands: [
        lambda t: properties(t, "BuildRole")["AssumeRolePolicyDocument"]["Statement"][0].update(Principal={"AWS": "*"}),
        lambda t: properties(t, "BuildRole").pop("PermissionsBoundary"),
        lambda t: properties(t, "PipelineRole").pop("Path"),
        lambda t: properties(t, "Build").update(ServiceRole={"Fn::GetAtt": ["PipelineRole", "Arn"]}),
    ],
    every_artifact_is_made_before_it_is_taken: [
        lambda t: stages(t).reverse(),
        lambda t: step(t, "CodeBuild").update(InputArtifacts=[{"Name": "Sources"}]),
    ],
    the_deployment_s_input_is_the_file_that_the_build_makes: [
        lambda t: step(t, "StepFunctions")["Configuration"].update(Input="input.json"),
        lambda t: step(t, "StepFunctions")["Configuration"].pop("InputType") and step(t, "StepFunctions")["Configuration"].update(InputType="Literal"),
        lambda t: step(t, "StepFunctions").update(InputArtifacts=[{"Name": "Source"}]),
    ],
    a_build_knows_the_commit: [lambda t: step(t, "CodeStarSourceConnection").update(Namespace="Source")],
    the_state_machine_is_the_stack_s: [
        lambda t: step(t, "StepFunctions")["Configuration"].update(StateMachineArn={"Fn::Sub": f"{STATES}:stateMachine:ebbtide-${{EbbtideStack}}"}),
        lambda t: t()["Parameters"]["EbbtideStack"].update(AllowedPattern="[a-zA-Z][a-zA-Z0-9-]{0,127}"),
        lambda t: t()["Parameters"]["LaunchTemplateId"].update(AllowedPattern="|lt-[0-9a-f]{8,17}"),
    ],
    every_execution_has_a_name_that_step_functions_takes: [
        lambda t: t()["Parameters"]["ExecutionNamePrefix"].update(AllowedPattern="[A-Za-z0-9_-]{1,44}"),
        lambda t: t()["Parameters"]["ExecutionNamePrefix"].update(AllowedPattern=".{1,43}"),
        lambda t: step(t, "StepFunctions")["Configuration"].update(ExecutionNamePrefix={"Ref": "AWS::StackName"}),
    ],
    one_merge_is_deployed_at_a_time_the_newest_next_and_none_again: [
        lambda t: properties(t, "Pipeline").update(ExecutionMode="PARALLEL"),
        lambda t: properties(t, "Pipeline").pop("PipelineType") and properties(t, "Pipeline").update(PipelineType="V1"),
        lambda t: stage(t, "Deploy").update(OnFailure={"Result": "RETRY"}),
        lambda t: stage(t, "Build").update(OnFailure={"Result": "RETRY"}),
    ],
    an_approval_comes_right_before_the_deployment: [
        lambda t: stage(t, "Deploy")["Actions"].reverse(),
        lambda t: stage(t, "Build")["Actions"].append(stage(t, "Deploy")["Actions"].pop(0)),
        lambda t: step(t, "StepFunctions").update(RunOrder=1),
        lambda t: stage(t, "Deploy")["Actions"].__setitem__(0, step(t, "Manual")),
    ],
    artifacts_are_nobody_else_s_and_as_codepipeline_wants_them: [
        lambda t: properties(t, "Artifacts")["PublicAccessBlockConfiguration"].update(BlockPublicPolicy=False),
        lambda t: properties(t, "Artifacts")["VersioningConfiguration"].update(Status="Suspended"),
        lambda t: properties(t, "EncryptedWays")["PolicyDocument"]["Statement"][0].update(Effect="Allow"),
    ],
    the_linter_has_nothing_to_say: [
        lambda t: properties(t, "Pipeline").pop("RoleArn"),
        lambda t: step(t, "StepFunctions")["ActionTypeId"].update(Category="Deployment"),
        lambda t: properties(t, "Build").update(ServiceRole={"Fn::GetAtt": ["BuildRoles", "Arn"]}),
    ],
    the_page_lists_what_a_boundary_must_leave: [lambda t: statement(t, "PipelineRole", "Build")["Action"].append("codebuild:StopBuild")],
}


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.__name__)
def test_the_pipeline_keeps_it(rule):
    rule(pipeline)


@pytest.mark.parametrize("rule, number", [(rule, number) for rule, variants in BROKEN.items() for number in range(len(variants))],
                         ids=lambda it: it.__name__ if callable(it) else str(it))
def test_a_broken_pipeline_does_not(rule, number):
    broken = json.loads(json.dumps(pipeline()))
    BROKEN[rule][number](lambda: broken)
    assert broken != pipeline()
    with pytest.raises(AssertionError):
        rule(lambda: broken)


@pytest.mark.parametrize("rule, given, taken", [
    ("OneWayToBuild", {}, True), ("OneWayToBuild", {"BuildCommand": "./release.sh"}, True), ("OneWayToBuild", {"Buildspec": "own.yml"}, True),
    ("OneWayToBuild", {"BuildCommand": "./release.sh", "Buildspec": "own.yml"}, False),
    ("TopicOfAnApproval", {}, True), ("TopicOfAnApproval", {"Approval": "true"}, True),
    ("TopicOfAnApproval", {"Approval": "true", "ApprovalTopicArn": "arn:aws:sns:eu-west-1:123456789012:t"}, True),
    ("TopicOfAnApproval", {"ApprovalTopicArn": "arn:aws:sns:eu-west-1:123456789012:t"}, False),
])
def test_settings_that_make_no_sense_together_are_refused(rule, given, taken):
    (assertion,) = pipeline()["Rules"][rule]["Assertions"]
    assert holds(assertion["Assert"], pipeline, **given) == taken


@pytest.mark.parametrize("name, good, bad", [
    ("ConnectionArn", "arn:aws:codeconnections:eu-west-1:123456789012:connection/01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"),
    ("ConnectionArn", "arn:aws:codestar-connections:eu-west-1:123456789012:connection/01234567-89ab-cdef-0123-456789abcdef",
     "arn:aws:codeconnections:eu-west-1:123456789012:host/01234567-89ab-cdef-0123-456789abcdef"),
    ("Repository", "example/tunnel", "https://github.com/example/tunnel"),
    ("Repository", "group/below/tunnel", "tunnel"),
    ("Branch", "release/2026.11", "refs heads main"),
    ("BuildCommand", "make image && ./release.sh \"$RELEASE\"", "make\nimage"),
    ("Buildspec", "deploy/buildspec.yml", "/buildspec.yml"),
    ("Buildspec", "", "deploy/buildspec.json"),
    ("BuildPolicyArn", "arn:aws:iam::123456789012:policy/write-releases", "write-releases"),
    ("EbbtideStack", "ebbtide-tunnel", "arn:aws:states:eu-west-1:123456789012:stateMachine:ebbtide-tunnel"),
    ("LaunchTemplateId", "lt-0123456789abcdef0", ""),
    ("ApprovalTopicArn", "arn:aws:sns:eu-west-1:123456789012:releases", "releases"),
    ("RolePath", "/platform/ebbtide/", "/platform"),
])
def test_what_each_admits(name, good, bad):
    assert admitted(name, good, pipeline) and not admitted(name, bad, pipeline)

//! What AWS asks IAM before it makes a call: an action, a resource, and what it knows of request and resource.
//!
//! One call is several requests where it touches several resources. The table below is the Service Authorization
//! Reference's for the actions that the functions call, and [`Reference`] checks it: a resource or a key that AWS does not
//! know for an action is an error here. An action that is not in the table is one too.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Wrong;
use crate::call::{Call, Known, numbered};
use crate::reference::{Reference, knows};
use crate::template::{ACCOUNT, PARTITION, REGION, arn};

/// The context of a request: a key's values.
pub(crate) type Context = BTreeMap<String, Vec<String>>;

/// What Lambda adds to every call of a function's code, whatever the action:
/// <https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html>
pub(crate) const SOURCE: &str = "lambda:SourceFunctionArn";

/// One request to IAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Request {
    /// `service:Name`.
    pub(crate) action: String,
    /// An ARN; one that only `*` matches where the action knows no resources.
    pub(crate) resource: String,
    pub(crate) context: Context,
}

impl Request {
    pub(crate) fn new(action: &str, resource: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.into(),
            context: Context::new(),
        }
    }

    pub(crate) fn with(mut self, key: impl Into<String>, values: &[&str]) -> Self {
        let values = values.iter().map(|&it| it.to_owned()).collect();
        self.context.insert(key.into(), values);
        self
    }

    /// Without a key that the call did not name.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.context.remove(key);
        self
    }

    /// The tags that a resource carries.
    pub(crate) fn tagged(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            let key = format!("aws:ResourceTag/{key}");
            self.context.insert(key, vec![value.clone()]);
        }
        self
    }

    /// The tags that a call gives.
    fn giving(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            let key = format!("aws:RequestTag/{key}");
            self.context.insert(key, vec![value.clone()]);
        }
        self.keys(tags.keys().cloned().collect())
    }

    /// The keys of tags that a call names; a call that names none has no such key at all.
    fn keys(mut self, keys: Vec<String>) -> Self {
        if !keys.is_empty() {
            self.context.insert("aws:TagKeys".to_owned(), keys);
        }
        self
    }

    /// Fails where AWS has no such action, no such resource for it, or no such key.
    pub(crate) fn check(&self, reference: &Reference) -> Result<(), Wrong> {
        let action = reference.action(&self.action)?;
        let types = reference.types_of(&self.action, &self.resource)?;
        if types.is_empty() != action.resource_types.is_empty() {
            let what = format!("{} on {}", self.action, self.resource);
            return Err(Wrong::Unknown(what));
        }
        let keys = reference.keys(&self.action, &types)?;
        let mut given = self.context.keys().filter(|key| *key != SOURCE);
        match given.find(|key| !knows(&keys, key)) {
            Some(key) => Err(Wrong::Unknown(format!("{key} with {}", self.action))),
            None => Ok(()),
        }
    }
}

/// The requests of one call.
///
/// # Errors
/// [`Wrong::Call`] for an action that is not in the table, or a call that lacks what its action needs.
pub(crate) fn requests(call: &Call, reference: &Reference) -> Result<Vec<Request>, Wrong> {
    let action = call.action.as_str();
    let one = |resource: String| vec![Request::new(action, resource)];
    let asked = match action {
        "dynamodb:GetItem" => vec![item(call, action, &call.parameters, "Key")?],
        "dynamodb:PutItem" => vec![item(call, action, &call.parameters, "Item")?],
        "dynamodb:TransactWriteItems" => transaction(call)?,
        "secretsmanager:GetSecretValue" => one(call.text("SecretId")?),
        "states:DescribeExecution" => one(call.text("executionArn")?),
        "states:StartExecution" => one(call.text("stateMachineArn")?),
        "elasticloadbalancing:RegisterTargets" | "elasticloadbalancing:DeregisterTargets" => {
            one(call.text("TargetGroupArn")?)
        }
        "elasticloadbalancing:ModifyListener" => one(call.text("ListenerArn")?),
        "elasticloadbalancing:ModifyRule" => one(call.text("RuleArn")?),
        "ec2:DescribeInstanceAttribute" => one(instance(&call.text("InstanceId")?)),
        "ec2:TerminateInstances" => instances(call, "InstanceId")?,
        "ec2:CreateTags" => instances(call, "ResourceId")?
            .into_iter()
            .map(|it| it.giving(&call.tags("Tag")))
            .collect(),
        "ec2:DeleteTags" => instances(call, "ResourceId")?
            .into_iter()
            .map(|it| it.keys(call.tags("Tag").into_keys().collect()))
            .collect(),
        "ec2:RunInstances" => launch(call)?,
        "autoscaling:CreateOrUpdateTags" => groups(call)?
            .into_iter()
            .map(|it| it.giving(&call.tags("Tags.member")))
            .collect(),
        "autoscaling:DeleteTags" => groups(call)?
            .into_iter()
            .map(|it| it.keys(call.tags("Tags.member").into_keys().collect()))
            .collect(),
        "autoscaling:CompleteLifecycleAction"
        | "autoscaling:DeleteLifecycleHook"
        | "autoscaling:PutLifecycleHook"
        | "autoscaling:RecordLifecycleActionHeartbeat"
        | "autoscaling:ResumeProcesses"
        | "autoscaling:SetInstanceProtection"
        | "autoscaling:SuspendProcesses"
        | "autoscaling:TerminateInstanceInAutoScalingGroup" => groups(call)?,
        "autoscaling:UpdateAutoScalingGroup" => {
            let mut asked = groups(call)?;
            asked.extend(launch_by_group(call)?);
            asked
        }
        // Whatever names no resource, and alarms, which are asked for by a list of names.
        "cloudwatch:DescribeAlarms" | "cloudwatch:DescribeAlarmHistory" => {
            one(arn("cloudwatch", "alarm:*"))
        }
        _ if reference.action(action)?.resource_types.is_empty() => {
            one(arn(action.split(':').next().unwrap_or_default(), "*"))
        }
        _ => return Err(Wrong::Call(format!("{action} is not in the table"))),
    };
    if action == "ec2:RunInstances" {
        has_all_required(action, &asked, reference)?;
    }
    Ok(asked)
}

pub(crate) fn instance(id: &str) -> String {
    arn("ec2", &format!("instance/{id}"))
}

/// The requests about the instances that a call names, with their tags of then.
fn instances(call: &Call, list: &str) -> Result<Vec<Request>, Wrong> {
    let named = numbered(&call.parameters, list);
    if named.is_empty() {
        return Err(Wrong::Call(format!("{} without {list}", call.action)));
    }
    let nothing = BTreeMap::new();
    Ok(named
        .iter()
        .map(|id| {
            let tags = call.known.instances.get(id).unwrap_or(&nothing);
            Request::new(&call.action, instance(id)).tagged(tags)
        })
        .collect())
}

/// The request about the Auto Scaling group that a call names, or whose member it names.
fn groups(call: &Call) -> Result<Vec<Request>, Wrong> {
    let Known { groups, .. } = &call.known;
    if groups.is_empty() {
        return Err(Wrong::Call(format!("{} on no group", call.action)));
    }
    let asked = groups.values();
    Ok(asked
        .map(|group| Request::new(&call.action, &group.arn).tagged(&group.tags))
        .collect())
}

/// The request about an item of a table: its key is the service's name.
fn item(call: &Call, action: &str, asked: &Value, key: &str) -> Result<Request, Wrong> {
    let table = asked["TableName"].as_str();
    let service = asked[key]["service"]["S"].as_str();
    let lacks = || Wrong::Call(format!("{} without table or key", call.action));
    let table = arn("dynamodb", &format!("table/{}", table.ok_or_else(lacks)?));
    let leading = service.ok_or_else(lacks)?;
    Ok(Request::new(action, table).with("dynamodb:LeadingKeys", &[leading]))
}

/// A transaction is asked for as what it consists of:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
fn transaction(call: &Call) -> Result<Vec<Request>, Wrong> {
    let parts = call.parameters["TransactItems"].as_array();
    let parts = parts.into_iter().flatten();
    parts
        .map(|part| match &part["Put"] {
            Value::Null => Err(Wrong::Call(format!("a transaction of {part}"))),
            put => item(call, "dynamodb:PutItem", put, "Item"),
        })
        .collect()
}

/// A launch asks for the template, for everything that it makes or uses, for tags, and for the role that it passes:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html#iam-example-runinstances>
fn launch(call: &Call) -> Result<Vec<Request>, Wrong> {
    let tags: Vec<(String, BTreeMap<String, String>)> = (1..)
        .map_while(|number| {
            let list = format!("TagSpecification.{number}");
            let kind = call.text(&format!("{list}.ResourceType")).ok()?;
            Some((kind, call.tags(&format!("{list}.Tag"))))
        })
        .collect();
    launched(call, "LaunchTemplate", &call.text("SubnetId")?, &tags)
}

/// An Auto Scaling group that is given a template asks its caller for what a launch from it would ask for, wherever it
/// launches: <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html>
fn launch_by_group(call: &Call) -> Result<Vec<Request>, Wrong> {
    let specifications = [
        "LaunchTemplate",
        "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification",
    ];
    let mut given = specifications.into_iter();
    let given = given.find(|it| call.text(&format!("{it}.LaunchTemplateId")).is_ok());
    let tags = ["instance", "volume"].map(|kind| (kind.to_owned(), BTreeMap::new()));
    given.map_or(Ok(Vec::new()), |given| launched(call, given, "*", &tags))
}

/// The recordings know no tags of templates. One has the tag of the service whose servers it launches: that of the group that
/// launches from it, or that which the call gives to instances.
fn service(call: &Call, given: &[(String, BTreeMap<String, String>)]) -> BTreeMap<String, String> {
    const TAG: &str = "ebbtide:service";
    let groups = call.known.groups.values().map(|group| &group.tags);
    let mut all = groups.chain(given.iter().map(|(_, tags)| tags));
    let found = all.find_map(|tags| tags.get_key_value(TAG));
    found
        .map(|(key, value)| (key.clone(), value.clone()))
        .into_iter()
        .collect()
}

/// What a launch from the template that the call names there asks for, into a subnet and with these tags by kind.
fn launched(
    call: &Call,
    specification: &str,
    subnet: &str,
    tags: &[(String, BTreeMap<String, String>)],
) -> Result<Vec<Request>, Wrong> {
    const RUN: &str = "ec2:RunInstances";
    let id = call.text(&format!("{specification}.LaunchTemplateId"))?;
    let version = call.text(&format!("{specification}.Version"))?;
    let data = call
        .known
        .templates
        .get(&id)
        .and_then(|it| it.get(&version));
    let lacks = || Wrong::Call(format!("nothing is known of version {version} of {id}"));
    let data = data.ok_or_else(lacks)?;
    let template = arn("ec2", &format!("launch-template/{id}"));
    let of_template =
        |resource: String| Request::new(RUN, resource).with("ec2:LaunchTemplate", &[&template]);
    let image = data["ImageId"].as_str().unwrap_or("ami-0");
    let own = service(call, tags);
    let mut asked = vec![
        of_template(template.clone()).tagged(&own),
        of_template(format!("arn:{PARTITION}:ec2:{REGION}::image/{image}")),
        of_template(arn("ec2", &format!("subnet/{subnet}"))),
        of_template(arn("ec2", "network-interface/*")),
    ];
    for (kind, tags) in tags {
        asked.push(of_template(arn("ec2", &format!("{kind}/*"))).giving(tags));
    }
    let groups = data["SecurityGroupIds"].as_array();
    let default = [Value::from("sg-0")];
    for group in groups.map_or(&default[..], Vec::as_slice) {
        let group = format!("security-group/{}", group.as_str().unwrap_or_default());
        asked.push(of_template(arn("ec2", &group)));
    }
    if let Some(key) = data["KeyName"].as_str() {
        asked.push(of_template(arn("ec2", &format!("key-pair/{key}"))));
    }
    if data["InstanceMarketOptions"].is_object() {
        let request = arn("ec2", "spot-instances-request/*");
        asked.push(Request::new(RUN, request));
    }
    for (kind, tags) in tags {
        let made = Request::new("ec2:CreateTags", arn("ec2", &format!("{kind}/*")));
        asked.push(
            made.giving(tags)
                .with("ec2:CreateAction", &["RunInstances"]),
        );
    }
    if let Some(profile) = data["IamInstanceProfile"].as_object() {
        asked.push(passing(profile.values().find_map(Value::as_str)));
    }
    Ok(asked)
}

/// An instance profile's role is passed to EC2. The tests' profiles are named after their roles.
fn passing(profile: Option<&str>) -> Request {
    let name = profile.unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let role = format!("arn:{PARTITION}:iam::{ACCOUNT}:role/{name}");
    Request::new("iam:PassRole", role).with("iam:PassedToService", &["ec2.amazonaws.com"])
}

/// A launch that the table makes too little of would be allowed too easily.
fn has_all_required(action: &str, asked: &[Request], reference: &Reference) -> Result<(), Wrong> {
    let mut seen = Vec::new();
    for request in asked.iter().filter(|it| it.action == action) {
        seen.extend(reference.types_of(action, &request.resource)?);
    }
    let types = reference.action(action)?.resource_types;
    let mut required = types.iter().filter(|it| it.required);
    match required.find(|it| !seen.iter().any(|seen| seen.name == it.name)) {
        Some(lacking) => Err(Wrong::Call(format!("{action} without {}", lacking.name))),
        None => Ok(()),
    }
}

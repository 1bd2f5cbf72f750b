//! The stack's roles as CloudFormation would make them: intrinsic functions resolved for one stack's parameters.
//!
//! Knows the functions and resources that the template's policies use, and refuses any other by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::Wrong;

/// The partition, region and account of every stack here.
pub(crate) const PARTITION: &str = "aws";
/// See [`PARTITION`].
pub(crate) const REGION: &str = "us-east-1";
/// See [`PARTITION`].
pub(crate) const ACCOUNT: &str = "000000000000";

/// An ARN of this stack's account and region.
pub(crate) fn arn(service: &str, resource: &str) -> String {
    format!("arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The template after the SAM transform.
#[derive(Debug)]
pub(crate) struct Template(Value);

/// What tells one deployed stack from another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stack {
    pub(crate) name: String,
    /// The physical name of the table.
    pub(crate) table: String,
    /// Those that were given; the others have their defaults.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// A statement of a policy, as JSON, with where it stands in the template.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The logical id of the role or managed policy.
    pub(crate) of: String,
    pub(crate) text: Value,
}

impl Template {
    pub(crate) fn new(text: &str) -> Result<Self, Wrong> {
        Ok(Self(serde_json::from_str(text)?))
    }

    /// Each function's name without the stack's, and the logical id of its role.
    pub(crate) fn functions(&self) -> Result<BTreeMap<String, String>, Wrong> {
        let functions = self.of_type("AWS::Lambda::Function");
        functions
            .map(|(id, function)| {
                let name = function.pointer("/FunctionName/Fn::Sub");
                let name = name.and_then(Value::as_str);
                let name = name.and_then(|it| it.strip_prefix("${AWS::StackName}-"));
                let role = function.pointer("/Role/Fn::GetAtt/0");
                match (name, role.and_then(Value::as_str)) {
                    (Some(name), Some(role)) => Ok((name.to_owned(), role.to_owned())),
                    _ => Err(Wrong::Template(format!("{id} has no name or role of ours"))),
                }
            })
            .collect()
    }

    /// The logical ids of the roles.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.of_type("AWS::IAM::Role").map(|(id, _)| id)
    }

    /// Every statement that a role has in this stack, its managed policies' among them.
    pub(crate) fn statements(&self, role: &str, stack: &Stack) -> Result<Vec<Written>, Wrong> {
        let resolver = Resolver {
            template: self,
            stack,
        };
        let properties = self.properties(role)?;
        let mut statements = Vec::new();
        if let Some(policies) = properties.get("Policies") {
            for policy in list(&resolver.resolved(policies)?) {
                statements.extend(written(role, &policy["PolicyDocument"]));
            }
        }
        if let Some(managed) = properties.get("ManagedPolicyArns") {
            for policy in list(&resolver.resolved(managed)?) {
                let id = policy.as_str().unwrap_or_default();
                let document = resolver.resolved(&self.properties(id)?["PolicyDocument"])?;
                statements.extend(written(id, &document));
            }
        }
        Ok(statements)
    }

    fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let resources = self.0["Resources"].as_object().into_iter().flatten();
        resources
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    fn properties(&self, id: &str) -> Result<&Value, Wrong> {
        let found = self.0["Resources"].get(id);
        found
            .map(|resource| &resource["Properties"])
            .ok_or_else(|| Wrong::Template(format!("there is no {id}")))
    }
}

fn written(of: &str, document: &Value) -> Vec<Written> {
    let statements = list(&document["Statement"]);
    let of = of.to_owned();
    statements
        .into_iter()
        .map(|text| Written {
            of: of.clone(),
            text,
        })
        .collect()
}

/// A list, or the one thing that stands for a list of one.
pub(crate) fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    }
}

struct Resolver<'a> {
    template: &'a Template,
    stack: &'a Stack,
}

impl Resolver<'_> {
    /// The value without intrinsic functions, and without what is `AWS::NoValue`.
    fn resolved(&self, value: &Value) -> Result<Value, Wrong> {
        Ok(self.kept(value)?.unwrap_or_default())
    }

    fn kept(&self, value: &Value) -> Result<Option<Value>, Wrong> {
        Ok(Some(match value {
            Value::Array(several) => {
                let kept = several.iter().map(|it| self.kept(it));
                kept.filter_map(Result::transpose)
                    .collect::<Result<Vec<_>, _>>()?
                    .into()
            }
            Value::Object(object) => {
                if let Some((name, argument)) = intrinsic(object) {
                    return self.called(name, argument);
                }
                let mut kept = Map::new();
                for (name, inner) in object {
                    if let Some(inner) = self.kept(inner)? {
                        kept.insert(name.clone(), inner);
                    }
                }
                kept.into()
            }
            plain => plain.clone(),
        }))
    }

    fn called(&self, name: &str, argument: &Value) -> Result<Option<Value>, Wrong> {
        let strange = || Wrong::Template(format!("{name} of {argument} is not understood"));
        Ok(Some(match (name, argument) {
            ("Ref", Value::String(what)) if what == "AWS::NoValue" => return Ok(None),
            ("Ref", Value::String(what)) => json!(self.reference(what)?),
            ("Fn::Sub", Value::String(text)) => json!(self.substituted(text)?),
            ("Fn::GetAtt", Value::Array(path)) => match path.as_slice() {
                [Value::String(id), Value::String(attribute)] if attribute == "Arn" => {
                    json!(self.arn_of(id)?)
                }
                _ => return Err(strange()),
            },
            ("Fn::Split", Value::Array(both)) if both.len() == 2 => {
                let (at, text) = (self.text(&both[0])?, self.text(&both[1])?);
                json!(text.split(&at).collect::<Vec<_>>())
            }
            ("Fn::If", Value::Array(three)) if three.len() == 3 => {
                let holds = self.condition(three[0].as_str().ok_or_else(strange)?)?;
                return self.kept(&three[if holds { 1 } else { 2 }]);
            }
            _ => return Err(strange()),
        }))
    }

    fn text(&self, value: &Value) -> Result<String, Wrong> {
        match self.resolved(value)? {
            Value::String(text) => Ok(text),
            other => Err(Wrong::Template(format!("{other} is no text"))),
        }
    }

    /// A parameter's value, or a resource's ARN or name, whichever `Ref` gives for it.
    fn reference(&self, what: &str) -> Result<String, Wrong> {
        let known = match what {
            "AWS::Partition" => Some(PARTITION.to_owned()),
            "AWS::Region" => Some(REGION.to_owned()),
            "AWS::AccountId" => Some(ACCOUNT.to_owned()),
            "AWS::StackName" => Some(self.stack.name.clone()),
            _ => self.parameter(what),
        };
        match known {
            Some(known) => Ok(known),
            // Looked up by this name when a role names it.
            None => self.template.properties(what).map(|_| what.to_owned()),
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let given = self.stack.parameters.get(name).cloned();
        let default = || {
            let default = self.template.0["Parameters"].get(name)?.get("Default")?;
            Some(default.as_str().map_or(default.to_string(), str::to_owned))
        };
        given.or_else(default)
    }

    fn arn_of(&self, id: &str) -> Result<String, Wrong> {
        let resource = &self.template.0["Resources"][id];
        let named = |property: &str| self.text(&resource["Properties"][property]);
        Ok(match resource["Type"].as_str().unwrap_or_default() {
            "AWS::DynamoDB::Table" => arn("dynamodb", &format!("table/{}", self.stack.table)),
            "AWS::Lambda::Function" => {
                arn("lambda", &format!("function:{}", named("FunctionName")?))
            }
            "AWS::Logs::LogGroup" => {
                arn("logs", &format!("log-group:{}:*", named("LogGroupName")?))
            }
            other => return Err(Wrong::Template(format!("the ARN of {id}, a {other:?}"))),
        })
    }

    fn substituted(&self, text: &str) -> Result<String, Wrong> {
        let mut parts = text.split("${");
        let mut done = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            done += &match name.strip_suffix(".Arn") {
                Some(id) => self.arn_of(id)?,
                None => self.reference(name)?,
            };
            done += rest;
        }
        Ok(done)
    }

    fn condition(&self, name: &str) -> Result<bool, Wrong> {
        let condition = self.template.0["Conditions"].get(name);
        let condition =
            condition.ok_or_else(|| Wrong::Template(format!("there is no condition {name}")))?;
        self.holds(condition)
    }

    fn holds(&self, condition: &Value) -> Result<bool, Wrong> {
        let strange = || Wrong::Template(format!("{condition} is no condition"));
        let (name, argument) = condition
            .as_object()
            .and_then(intrinsic)
            .ok_or_else(strange)?;
        let all = || list(argument).into_iter().map(|it| self.holds(&it));
        match name {
            "Condition" => self.condition(argument.as_str().ok_or_else(strange)?),
            "Fn::Not" => Ok(!all().next().ok_or_else(strange)??),
            "Fn::Or" => all().try_fold(false, |any, it| Ok(any | it?)),
            "Fn::Equals" => Ok(self.text(&argument[0])? == self.text(&argument[1])?),
            _ => Err(strange()),
        }
    }
}

/// An object of one entry that is a call. `Condition` is one in a condition only; a statement has others beside it.
fn intrinsic(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = object.iter();
    let (name, argument) = entries.next()?;
    let is = name == "Ref" || name == "Condition" || name.starts_with("Fn::");
    (is && entries.next().is_none()).then_some((name, argument))
}

//! Launch templates: which version a word like `$Latest` means now, and what is wrong with it.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{
    LaunchTemplateVersion, MarketType, ResponseLaunchTemplateData, SpotInstanceType,
};
use ebbtide_rules::plan::{Template, TemplateFault, TemplateVersion};

use crate::CloudError;
use crate::error::Called;

/// Reads launch templates.
#[derive(Debug, Clone)]
pub struct LaunchTemplates {
    client: Client,
}

impl LaunchTemplates {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What `$Latest`, `$Default` or a number means now; without a version when there is no such template or version.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn resolve(&self, template: &str, version: &str) -> Result<Template, CloudError> {
        let call = self
            .client
            .describe_launch_template_versions()
            .versions(version);
        let call = if template.starts_with("lt-") {
            call.launch_template_id(template)
        } else {
            call.launch_template_name(template)
        };
        let found = match call.send().await {
            Ok(answer) => answer.launch_template_versions().first().and_then(read),
            Err(error) if error.code().is_some_and(is_missing) => None,
            Err(error) => Err(error)
                .called(|| format!("DescribeLaunchTemplateVersions of {template}, {version}"))?,
        };
        let (id, version_found) = found.unzip();
        Ok(Template {
            id: id.unwrap_or_else(|| template.to_owned()),
            requested: version.to_owned(),
            version: version_found,
        })
    }
}

/// The template's id, and the version.
fn read(found: &LaunchTemplateVersion) -> Option<(String, TemplateVersion)> {
    let data = found.launch_template_data();
    let market = data.and_then(|data| data.instance_market_options());
    let placement = data.and_then(|data| data.placement());
    let version = TemplateVersion {
        number: found.version_number()?.to_string(),
        faults: data.map(faults).unwrap_or_default(),
        spot: market.and_then(|options| options.market_type()) == Some(&MarketType::Spot),
        has_profile: data.is_some_and(|data| data.iam_instance_profile().is_some()),
        zone: placement
            .and_then(|placement| placement.availability_zone())
            .map(str::to_owned),
    };
    Some((found.launch_template_id()?.to_owned(), version))
}

/// What a launch by RunInstances into a given subnet would stumble over (RunInstances' and RequestLaunchTemplateData's
/// references), and what could not be ended.
fn faults(data: &ResponseLaunchTemplateData) -> Vec<TemplateFault> {
    let options = data.instance_market_options();
    let spot = options.and_then(|options| options.spot_options());
    let persistent = spot.and_then(|spot| spot.spot_instance_type());
    let by_requirements = data.instance_requirements().is_some();
    [
        (
            !data.network_interfaces().is_empty(),
            TemplateFault::Interfaces,
        ),
        (by_requirements, TemplateFault::Requirements),
        (
            data.instance_type().is_none() && !by_requirements,
            TemplateFault::NoType,
        ),
        (data.image_id().is_none(), TemplateFault::NoImage),
        (
            !data.security_groups().is_empty(),
            TemplateFault::GroupNames,
        ),
        (
            data.disable_api_termination() == Some(true),
            TemplateFault::Protects,
        ),
        (
            persistent == Some(&SpotInstanceType::Persistent),
            TemplateFault::PersistentSpot,
        ),
    ]
    .into_iter()
    .filter_map(|(found, fault)| found.then_some(fault))
    .collect()
}

/// The codes by which EC2 says that there is no such template or version.
fn is_missing(code: &str) -> bool {
    code.starts_with("InvalidLaunchTemplate")
        && (code.contains("NotFound") || code.ends_with("NotFoundException"))
}

//! Launch templates: which version a word like `$Latest` means now, and whether it can be launched into a subnet.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{LaunchTemplateVersion, MarketType};

use crate::CloudError;
use crate::error::Called;

/// Reads launch templates.
#[derive(Debug, Clone)]
pub struct LaunchTemplates {
    client: Client,
}

/// One version of a launch template, by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVersion {
    /// The template's id.
    pub template: String,
    /// The number.
    pub version: String,
    /// Whether it has network interfaces of its own: RunInstances then takes no subnet.
    pub network_interfaces: bool,
    /// Whether it protects its instances from termination (`DisableApiTermination`, off unless set).
    pub protects: bool,
    /// Whether its instances are Spot instances (`InstanceMarketOptions.MarketType`).
    pub spot: bool,
}

impl LaunchTemplates {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The number behind `$Latest`, `$Default` or a number; none when there is no such template or version.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn resolve(
        &self,
        template: &str,
        version: &str,
    ) -> Result<Option<TemplateVersion>, CloudError> {
        let call = self
            .client
            .describe_launch_template_versions()
            .versions(version);
        let call = if template.starts_with("lt-") {
            call.launch_template_id(template)
        } else {
            call.launch_template_name(template)
        };
        match call.send().await {
            Ok(answer) => Ok(answer.launch_template_versions().first().and_then(read)),
            Err(error) if error.code().is_some_and(is_missing) => Ok(None),
            Err(error) => Err(error)
                .called(|| format!("DescribeLaunchTemplateVersions of {template}, {version}")),
        }
    }
}

fn read(found: &LaunchTemplateVersion) -> Option<TemplateVersion> {
    let data = found.launch_template_data();
    let market = data
        .and_then(|data| data.instance_market_options())
        .and_then(|options| options.market_type());
    Some(TemplateVersion {
        template: found.launch_template_id()?.to_owned(),
        version: found.version_number()?.to_string(),
        network_interfaces: data.is_some_and(|data| !data.network_interfaces().is_empty()),
        protects: data.and_then(|data| data.disable_api_termination()) == Some(true),
        spot: market == Some(&MarketType::Spot),
    })
}

/// The codes by which EC2 says that there is no such template or version.
fn is_missing(code: &str) -> bool {
    code.starts_with("InvalidLaunchTemplate")
        && (code.contains("NotFound") || code.ends_with("NotFoundException"))
}

//! The launch template as the preflight sees it: what RunInstances would refuse of it, and what no deployment could end.
//!
//! An Auto Scaling group can launch templates that RunInstances cannot: here every fault is told before the claim.

use super::{Fleet, Refusal};

/// The launch template that green is to come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its id; where it was not found, the name that the stack gives.
    pub id: String,
    /// The version that was asked for: a number, `$Latest` or `$Default`.
    pub requested: String,
    /// That version; none where there is none.
    pub version: Option<TemplateVersion>,
}

/// One version of a launch template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateVersion {
    /// Its number.
    pub number: String,
    /// What is wrong with it.
    pub faults: Vec<TemplateFault>,
    /// Whether it launches Spot instances.
    pub spot: bool,
    /// Whether its instances get an instance profile: launching passes a role then.
    pub has_profile: bool,
    /// The zone that it names, if it names one.
    pub zone: Option<String>,
}

/// What is wrong with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// Network interfaces of its own: RunInstances takes a subnet only without them.
    #[error(
        "has network interfaces, and EC2 launches no such version into a given subnet: make a version with the security \
         groups on the template itself instead of on a network interface"
    )]
    Interfaces,
    /// Instance requirements instead of a type, which only fleets and Auto Scaling groups understand.
    #[error(
        "names instance requirements instead of an instance type, which RunInstances does not take: make a version with \
         an instance type"
    )]
    Requirements,
    /// No instance type: EC2 would take m1.small.
    #[error("names no instance type: make a version with the one that the service needs")]
    NoType,
    /// No image, which RunInstances cannot do without.
    #[error("names no image: make a version with one")]
    NoImage,
    /// Security groups by name, which no subnet but one of a default VPC knows.
    #[error(
        "names security groups by name, which EC2 does not take together with a subnet: make a version that names them by \
         id"
    )]
    GroupNames,
    /// Termination protection: green could never be replaced.
    #[error(
        "turns termination protection on, and green could never be replaced: make a version without it"
    )]
    Protects,
    /// A persistent Spot request, which brings back every instance that is ended.
    #[error(
        "makes persistent Spot requests, which bring back every instance that is ended: make a version with one-time \
         requests"
    )]
    PersistentSpot,
}

/// What an Auto Scaling group launches from as well: it has types and interfaces of its own, and ends its members in spite
/// of termination protection ("Instance termination protection" does not keep Auto Scaling from it).
fn is_for_group(fault: TemplateFault, fleet: &Fleet) -> bool {
    match fault {
        TemplateFault::Interfaces | TemplateFault::Requirements | TemplateFault::Protects => true,
        TemplateFault::NoType => fleet.names_types,
        TemplateFault::NoImage | TemplateFault::GroupNames | TemplateFault::PersistentSpot => false,
    }
}

/// What speaks against launching from it: by RunInstances, or by green's Auto Scaling group.
pub(super) fn refuse(
    template: &Template,
    passes_role: bool,
    fleet: Option<&Fleet>,
) -> Vec<Refusal> {
    // Without a template of the group's there is no version to speak of: the group is refused for it.
    if fleet.is_some_and(|fleet| fleet.template.is_none()) {
        return Vec::new();
    }
    let Some(version) = &template.version else {
        return vec![Refusal::NoSuchVersion {
            template: template.id.clone(),
            version: template.requested.clone(),
        }];
    };
    let fault = |fault: &TemplateFault| Refusal::TemplateUnfit {
        template: template.id.clone(),
        version: version.number.clone(),
        fault: *fault,
    };
    let counts = |fault: &&TemplateFault| !fleet.is_some_and(|fleet| is_for_group(**fault, fleet));
    let faults = version.faults.iter().filter(counts);
    let mut refusals: Vec<Refusal> = faults.map(fault).collect();
    if version.has_profile && !passes_role {
        refusals.push(Refusal::NoInstanceRole {
            template: template.id.clone(),
            version: version.number.clone(),
        });
    }
    refusals
}

/// What may hurt, and does not stop the deployment.
pub(super) fn warnings(version: &TemplateVersion) -> Vec<String> {
    let spot = version.spot.then(|| {
        "green would be Spot instances: AWS ends them with two minutes' notice, busy or not"
            .to_owned()
    });
    let zone = version.zone.as_ref().map(|zone| {
        format!("the launch template names zone {zone}: into a subnet of another zone nothing can be launched from it")
    });
    spot.into_iter().chain(zone).collect()
}

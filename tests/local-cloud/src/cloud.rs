//! A running local cloud: everything wired together.

use std::path::Path;

use crate::clients::Clients;
use crate::emulators::Emulators;
use crate::error::Result;
use crate::ground::Ground;
use crate::http;
use crate::options::Options;
use crate::service::Service;
use crate::stack::{self, Stack};
use crate::warden::Warden;
use crate::world::Forward;

mod by_itself;
mod handles;
mod scaling;

/// A local cloud with a deployed stack and a service of healthy blue servers. Everything is gone when it is stopped or
/// dropped, and when the process that holds it is killed.
#[derive(Debug)]
pub struct LocalCloud {
    clients: Clients,
    stack: Stack,
    http: reqwest::Client,
    listeners: Vec<String>,
    service: Service,
    emulators: Option<Emulators>,
    parameters: Vec<(String, String)>,
    warden: Option<Warden>,
    // Last: whatever lies in its directory is in use by those above.
    ground: Ground,
}

impl LocalCloud {
    /// Starts the emulators, makes the service's world in them, deploys the template, and returns when blue is healthy.
    ///
    /// # Errors
    /// If anything of that fails; messages name the log. What was started is ended.
    pub async fn start(options: Options) -> Result<Self> {
        let ground = Ground::prepare(&options).await?;
        let (venv, directory) = (&ground.venv, ground.directory.path());
        let warden = Warden::start(&venv.program("python"), &ground.scripts, directory)?;
        options
            .progress
            .say("starting the emulators and packaging the functions");
        let starting = Emulators::start(venv, &ground.scripts, directory, options.faults);
        let (emulators, packaged) = tokio::try_join!(starting, ground.sam().package())?;
        let clients = Clients::new(&emulators.ministack, &emulators.moto);
        options
            .progress
            .say("deploying the template and starting the blue servers");
        let service = Service::start(&ground, &options, &clients, &emulators).await?;
        let parameters = parameters(&options, &service);
        let (stack, ()) = tokio::try_join!(
            stack::deploy(packaged, &emulators, &clients, &parameters),
            service.until_healthy(directory),
        )?;
        may_pass_roles(&emulators, &parameters).await?;
        Ok(Self {
            listeners: service.balancer.urls(),
            http: http::client()?,
            clients,
            stack,
            service,
            parameters,
            emulators: Some(emulators),
            warden: Some(warden),
            ground,
        })
    }

    /// Updates the stack, as a user does who changes parameters: these replace those that it was deployed with.
    ///
    /// # Errors
    /// If the update fails; the stack has the former ones then.
    pub async fn update(&mut self, parameters: &[(&str, &str)]) -> Result<()> {
        let former = self.parameters.clone();
        for (name, value) in parameters {
            self.parameters.retain(|(known, _)| known != name);
            self.parameters
                .push(((*name).to_owned(), (*value).to_owned()));
        }
        let packaged = self.ground.sam().package().await?;
        let updated = self.redeploy(packaged).await;
        if updated.is_err() {
            self.parameters = former;
        }
        updated
    }

    /// The words of the resource that refused the stack's last update.
    ///
    /// # Errors
    /// If CloudFormation does not answer, or nothing did.
    pub async fn refusal(&self) -> Result<String> {
        stack::refusal(&self.clients).await
    }

    /// What CloudFormation deleted first, or tried to.
    ///
    /// # Errors
    /// If CloudFormation does not answer, or nothing was deleted.
    pub async fn first_deleted(&self) -> Result<String> {
        stack::first_deleted(&self.clients).await
    }

    /// Deletes the stack, as a user does; the words of what refused it, where something does.
    ///
    /// # Errors
    /// If CloudFormation does not answer, or neither deletes it nor says why not.
    pub async fn delete_stack(&self) -> Result<Option<String>> {
        stack::delete(&self.clients).await
    }

    /// Updates the stack with this program as a function's code.
    ///
    /// # Errors
    /// If there is no such program, or the update fails.
    pub async fn update_code(&mut self, function: &str, program: &str) -> Result<()> {
        let sam = self.ground.sam();
        let packaged = sam.package_with(function, program).await?;
        self.redeploy(&packaged).await
    }

    /// Deploys the template once more, as another stack and by the SAM CLI, as a user does.
    ///
    /// # Errors
    /// If the SAM CLI fails; the message has the end of its output.
    pub async fn deploy_by_sam(&self, stack: &str) -> Result<()> {
        let ministack = &self.emulators()?.ministack;
        let sam = self.ground.sam();
        sam.deploy(stack, ministack, &self.parameters).await
    }

    async fn redeploy(&mut self, packaged: &Path) -> Result<()> {
        let emulators = self.emulators()?;
        self.stack = stack::deploy(packaged, emulators, &self.clients, &self.parameters).await?;
        may_pass_roles(self.emulators()?, &self.parameters).await
    }

    /// Ends everything and waits until it is gone.
    pub async fn stop(mut self) {
        self.service.host.end().await;
        if let Some(emulators) = self.emulators.take() {
            emulators.stop().await;
        }
        if let Some(warden) = self.warden.take() {
            warden.dismiss().await;
        }
        self.ground.directory.ended_in_order();
    }
}

/// Tells moto what the functions' roles may: to pass a role only where the stack names one.
async fn may_pass_roles(emulators: &Emulators, parameters: &[(String, String)]) -> Result<()> {
    let named = |(name, value): &(String, String)| name == "InstanceRoleArn" && !value.is_empty();
    let asked = serde_json::json!({ "allowed": parameters.iter().any(named) });
    emulators.control("passes-role", &asked).await
}

/// What is local about the stack; the caller's own parameters come last and so win.
fn parameters(options: &Options, service: &Service) -> Vec<(String, String)> {
    let forwards = service.world.forwards();
    let arns: Vec<&str> = forwards.iter().map(|it| it.arn.as_str()).collect();
    let of_environments = |it| Forward::groups(it).take(options.environments);
    let groups: Vec<&str> = forwards.iter().flat_map(of_environments).collect();
    // The agent answers by HTTP, the server beside it need not.
    let test_port = match options.machines {
        None => service.service_port,
        Some(_) => service.session_port,
    };
    let mut parameters: Vec<(String, String)> = [
        ("ServiceName", service.name.clone()),
        ("ListenerArn", arns.join(",")),
        ("TargetGroupArns", groups.join(",")),
        ("LaunchTemplateId", service.world.launch_template.clone()),
        ("SessionPort", service.session_port.to_string()),
        ("TestPort", test_port.to_string()),
        ("TestPaths", "/health".to_owned()),
        ("BakeSeconds", "10".to_owned()),
        ("SettleSeconds", "2".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    if let Some(signing) = &service.signing {
        parameters.push(("SigningSecretArn".to_owned(), signing.arn().to_owned()));
    }
    if options.tests {
        let urls = service.balancer.urls();
        let tests = urls.iter().skip(arns.len()).map(String::as_str);
        let tests: Vec<&str> = tests.take(options.environments).collect();
        let arns = service.world.tests.iter().take(options.environments);
        let arns: Vec<&str> = arns.map(String::as_str).collect();
        parameters.push(("TestListenerArns".to_owned(), arns.join(",")));
        parameters.push(("TestUrls".to_owned(), tests.join(",")));
    }
    parameters.retain(|(name, _)| !options.parameters.iter().any(|(given, _)| given == name));
    parameters.extend(options.parameters.iter().cloned());
    parameters
}

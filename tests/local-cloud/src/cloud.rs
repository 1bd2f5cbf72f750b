//! A running local cloud: everything wired together, and the handles that scenarios, the demo and `ebbtide-local` use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::balancer::{self, Balancer};
use crate::clients::Clients;
use crate::emulators::{self, Emulators};
use crate::error::{Error, Result};
use crate::execution::Execution;
use crate::host::{self, Host, Server};
use crate::observation::{self, Instance, Observation};
use crate::options::Options;
use crate::report::{self, Report};
use crate::stack::{Sam, Stack};
use crate::venv::Venv;
use crate::wait::{Seen, until};
use crate::warden::{self, Warden};
use crate::world::{Wanted, World, forward};
use crate::{places, ports};

const HEALTHY_LIMIT: Duration = Duration::from_secs(60);

/// A local cloud with a deployed stack and a service of healthy blue servers. Everything is gone when it is stopped or
/// dropped, and when the process that holds it is killed.
#[derive(Debug)]
pub struct LocalCloud {
    clients: Clients,
    world: World,
    stack: Stack,
    session_port: u16,
    service_port: u16,
    service: String,
    observed: watch::Receiver<Observation>,
    http: reqwest::Client,
    balancer: Balancer,
    host: Arc<Host>,
    emulators: Option<Emulators>,
    warden: Option<Warden>,
    listener: String,
    _stop: DropGuard,
    // Last: whatever lies in it is in use by those above.
    directory: Directory,
}

/// The private directory, removed with the cloud if it was made for it and nothing went wrong.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    fresh: bool,
}

impl Drop for Directory {
    fn drop(&mut self) {
        warden::end_marked(&self.path);
        if self.fresh && !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl LocalCloud {
    /// Starts the emulators, makes the service's world in them, deploys the template, and returns when blue is healthy.
    ///
    /// # Errors
    /// If anything of that fails; messages name the log. What was started is ended.
    pub async fn start(options: Options) -> Result<Self> {
        let repository = places::repository()?;
        let tunnel_server = program("tunnel-server")?;
        let venv = Venv::ensure(&repository, &|line| options.progress.say(line)).await?;
        let directory = match &options.directory {
            Some(path) => Directory {
                path: path.clone(),
                fresh: false,
            },
            None => Directory {
                path: places::fresh(&repository, "cloud")?,
                fresh: true,
            },
        };
        let scripts = repository.join("tests/local-cloud/python");
        let warden = Warden::start(&venv.program("python"), &scripts, &directory.path)?;
        options
            .progress
            .say("starting the emulators and packaging the functions");
        let sam = Sam {
            repository: &repository,
            venv: &venv,
            directory: &directory.path,
        };
        let (emulators, built) = tokio::try_join!(
            Emulators::start(&venv, &scripts, &directory.path),
            sam.build()
        )?;
        let clients = Clients::new(&emulators.ministack, &emulators.moto);
        let (service_port, session_port) = (ports::free()?, ports::free()?);
        let wanted = Wanted {
            service: &options.service,
            service_port,
            blue: options.blue,
        };
        let world = World::make(&clients, &wanted).await?;
        let host = Arc::new(Host::new(host::Settings {
            directory: directory.path.clone(),
            service_port,
            session_port,
            tunnel_server,
            tunnel_arguments: options.tunnel_arguments.clone(),
            python: venv.program("python"),
            scripts: scripts.clone(),
        })?);
        let (publisher, observed) = watch::channel(Observation::default());
        let stop = CancellationToken::new();
        let stopping = stop.clone().drop_guard();
        tokio::spawn(observation::publish(
            clients.clone(),
            world.listener_arn.clone(),
            publisher,
            stop.clone(),
        ));
        let hosting = host::keep(
            host.clone(),
            clients.clone(),
            observed.clone(),
            options.choice.clone(),
        );
        tokio::spawn(stop.run_until_cancelled_owned(hosting));
        let settings = balancer::Settings {
            service_port,
            idle_timeout: options.idle_timeout,
        };
        let balancer = Balancer::start(ports::free()?, settings, observed.clone()).await?;
        options
            .progress
            .say("deploying the template and starting the blue servers");
        let parameters = parameters(&options, &world, service_port, session_port);
        let (stack, ()) = tokio::try_join!(
            sam.deploy(built, &emulators, &clients, &parameters),
            until_healthy(
                &observed,
                &host,
                &world.a.arn,
                options.blue,
                &directory.path
            ),
        )?;
        Ok(Self {
            listener: balancer.url(),
            clients,
            world,
            stack,
            session_port,
            service_port,
            service: options.service,
            observed,
            http: emulators::http()?,
            balancer,
            host,
            emulators: Some(emulators),
            warden: Some(warden),
            _stop: stopping,
            directory,
        })
    }

    /// Ends everything and waits until it is gone.
    pub async fn stop(mut self) {
        self.host.end().await;
        if let Some(emulators) = self.emulators.take() {
            emulators.stop().await;
        }
        if let Some(warden) = self.warden.take() {
            warden.dismiss().await;
        }
    }

    /// The load balancer's address, `http://127.0.0.1:port`.
    pub fn listener(&self) -> &str {
        &self.listener
    }

    /// AWS clients for the emulators.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Ids and ARNs of the service's AWS resources.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The deployed stack's outputs.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The port of every server's session endpoint.
    pub fn session_port(&self) -> u16 {
        self.session_port
    }

    /// The port of every server's public side.
    pub fn service_port(&self) -> u16 {
        self.service_port
    }

    /// The private directory; logs are in `logs` below it.
    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// The emulators.
    ///
    /// # Errors
    /// [`Error::Missing`] once they were stopped.
    pub fn emulators(&self) -> Result<&Emulators> {
        self.emulators
            .as_ref()
            .ok_or_else(|| Error::Missing("the emulators were stopped".to_owned()))
    }

    /// The server processes.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The load balancer.
    pub fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// What EC2 and ELB say, kept up to date five times a second.
    pub fn observed(&self) -> watch::Receiver<Observation> {
        self.observed.clone()
    }

    /// All servers that were ever started.
    pub fn servers(&self) -> Vec<Server> {
        self.host.servers()
    }

    /// The report of every server whose instance runs, or why there is none.
    pub async fn reports(&self) -> BTreeMap<String, Result<Report>> {
        let instances = self.observed.borrow().instances.clone();
        let up = instances.iter().filter(|instance| instance.is_up());
        let reading = up.map(|instance| async {
            (
                instance.id.clone(),
                report::read(&self.http, instance.ip, self.session_port).await,
            )
        });
        futures_util::future::join_all(reading)
            .await
            .into_iter()
            .collect()
    }

    /// Starts a deployment and returns its execution's ARN.
    ///
    /// # Errors
    /// If Step Functions refuses.
    pub async fn start_execution(&self, input: &serde_json::Value) -> Result<String> {
        Ok(self.deploy(None, input).await?.arn().to_owned())
    }

    /// Starts a deployment, named or not.
    ///
    /// # Errors
    /// If Step Functions refuses.
    pub async fn deploy(&self, name: Option<&str>, input: &serde_json::Value) -> Result<Execution> {
        Execution::start(
            &self.clients.sfn,
            &self.stack.state_machine_arn,
            name,
            &input.to_string(),
        )
        .await
    }

    /// Adds a version to the launch template; see [`World::add_version`].
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn add_version(&self, user_data: &str) -> Result<i64> {
        self.world.add_version(&self.clients, user_data).await
    }

    /// Terminates an instance behind the deployment's back, as an operator does in the console.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn terminate(&self, instance: &str) -> Result<()> {
        self.clients
            .ec2
            .terminate_instances()
            .instance_ids(instance)
            .send()
            .await
            .map_err(Error::aws("TerminateInstances"))?;
        Ok(())
    }

    /// The listener's weights of target groups a and b; `None` for a group that is not in its forward action.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn weights(&self) -> Result<(Option<u32>, Option<u32>)> {
        let now = Observation::make(&self.clients, &self.world.listener_arn).await?;
        Ok((now.weight(&self.world.a.arn), now.weight(&self.world.b.arn)))
    }

    /// Changes the listener's weights behind the deployment's back.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn set_weights(&self, a: i32, b: i32) -> Result<()> {
        let action = forward(&[(&self.world.a.arn, a), (&self.world.b.arn, b)]);
        let change = self
            .clients
            .elb
            .modify_listener()
            .listener_arn(&self.world.listener_arn)
            .default_actions(action);
        change.send().await.map_err(Error::aws("ModifyListener"))?;
        Ok(())
    }

    /// The instances that EC2 knows now.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn instances(&self) -> Result<Vec<Instance>> {
        Ok(Observation::make(&self.clients, &self.world.listener_arn)
            .await?
            .instances)
    }

    /// The service's record, each attribute as text; empty if there is none.
    ///
    /// # Errors
    /// If DynamoDB does not answer.
    pub async fn record(&self) -> Result<BTreeMap<String, String>> {
        let key = |value: &str| AttributeValue::S(value.to_owned());
        let asked = self
            .clients
            .dynamodb
            .get_item()
            .table_name(&self.stack.table)
            .consistent_read(true);
        let answer = asked
            .key("service", key(&self.service))
            .key("item", key("record"))
            .send()
            .await
            .map_err(Error::aws("GetItem"))?;
        Ok(answer
            .item
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name, text(&value)))
            .collect())
    }
}

fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::Bool(is) => is.to_string(),
        other => format!("{other:?}"),
    }
}

fn program(name: &str) -> Result<PathBuf> {
    let path = places::programs()?.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::Missing(format!(
            "{} is missing: make build",
            path.display()
        )))
    }
}

/// What is local about the stack; the caller's own parameters come last and so win.
fn parameters(
    options: &Options,
    world: &World,
    service_port: u16,
    session_port: u16,
) -> Vec<(String, String)> {
    let mut parameters: Vec<(String, String)> = [
        ("ServiceName", options.service.clone()),
        ("ListenerArn", world.listener_arn.clone()),
        (
            "TargetGroupArns",
            format!("{},{}", world.a.arn, world.b.arn),
        ),
        ("LaunchTemplateId", world.launch_template.clone()),
        ("SessionPort", session_port.to_string()),
        ("TestPort", service_port.to_string()),
        ("TestPaths", "/health".to_owned()),
        ("BakeSeconds", "10".to_owned()),
        ("SettleSeconds", "2".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    parameters.retain(|(name, _)| !options.parameters.iter().any(|(given, _)| given == name));
    parameters.extend(options.parameters.iter().cloned());
    parameters
}

async fn until_healthy(
    observed: &watch::Receiver<Observation>,
    host: &Host,
    group: &str,
    wanted: usize,
    directory: &Path,
) -> Result<()> {
    let what = format!(
        "{wanted} healthy blue servers (their logs are in {})",
        directory.join("logs").display()
    );
    until(&what, HEALTHY_LIMIT, || async {
        let seen = observed.borrow();
        let forwarding = seen
            .forwarding
            .iter()
            .find(|forwarding| forwarding.group == group);
        if forwarding.is_some_and(|forwarding| forwarding.healthy.len() == wanted) {
            return Ok(Seen::Done(()));
        }
        let processes: Vec<_> = host
            .servers()
            .into_iter()
            .map(|server| (server.instance, server.process))
            .collect();
        Ok(Seen::NotYet(format!(
            "targets {:?}, processes {processes:?}",
            forwarding.map(|forwarding| &forwarding.health)
        )))
    })
    .await
}

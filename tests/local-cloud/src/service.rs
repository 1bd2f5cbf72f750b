//! The service on its machines: AWS's resources in moto, the server processes, and the load balancer before them.
//!
//! Owns the tasks that keep these in step with each other; they end when it is dropped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::balancer::{self, Balancer, Frontend};
use crate::clients::Clients;
use crate::emulators::Emulators;
use crate::error::Result;
use crate::faults::SessionFaults;
use crate::ground::Ground;
use crate::host::{self, Host};
use crate::observation::{self, Forwarding, Observation};
use crate::options::Options;
use crate::ports;
use crate::signing::SigningSecret;
use crate::wait::{Seen, until};
use crate::world::{Wanted, World};

const HEALTHY_LIMIT: Duration = Duration::from_secs(300);

/// A service that runs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) world: World,
    pub(crate) service_port: u16,
    /// Where the stack calls session endpoints.
    pub(crate) session_port: u16,
    /// Where the servers listen for these calls: another port if a proxy stands before them.
    pub(crate) server_port: u16,
    pub(crate) session_faults: Option<SessionFaults>,
    pub(crate) observed: watch::Receiver<Observation>,
    pub(crate) signing: Option<SigningSecret>,
    pub(crate) host: Arc<Host>,
    pub(crate) balancer: Balancer,
    blue: usize,
    _stop: DropGuard,
}

impl Service {
    /// Makes its world and starts all that follows it. Blue's servers come up in the background.
    pub(crate) async fn start(
        ground: &Ground,
        options: &Options,
        clients: &Clients,
        emulators: &Emulators,
    ) -> Result<Self> {
        let (service_port, session_port) = (ports::free()?, ports::free()?);
        let server_port = if options.faults {
            ports::free()?
        } else {
            session_port
        };
        let proxies = || SessionFaults::new(session_port, server_port);
        let session_faults = options.faults.then(proxies);
        let wanted = Wanted {
            service: &options.service,
            service_port,
            blue: options.blue,
            listeners: options.listeners,
            rules: options.rules,
            tests: options.tests,
            machines: options.machines.map(|it| (session_port, it.user_data())),
        };
        let world = World::make(clients, &wanted).await?;
        let signing = match options.signed {
            true => Some(Box::pin(SigningSecret::make(&clients.secrets, &options.service)).await?),
            false => None,
        };
        let host = Arc::new(Host::new(host::Settings {
            directory: ground.directory.path().to_owned(),
            service_port,
            session_port: server_port,
            proxies: session_faults.clone(),
            tunnel_server: ground.tunnel_server.clone(),
            signing: signing.clone(),
            tunnel_arguments: options.tunnel_arguments.clone(),
            python: ground.venv.program("python"),
            scripts: ground.scripts.clone(),
            machines: ground.machines.clone(),
        })?);
        let (publisher, observed) = watch::channel(Observation::default());
        let arns: Vec<String> = world.forwards().into_iter().map(|it| it.arn).collect();
        let frontend = |arn: &String| -> Result<Frontend> {
            Ok(Frontend {
                arn: arn.clone(),
                port: ports::free()?,
            })
        };
        let settings = balancer::Settings {
            routes_port: emulators.routes_port,
            frontends: arns
                .iter()
                .chain(&world.tests)
                .map(frontend)
                .collect::<Result<_>>()?,
            follows_after: options.follows_after,
            passes: match options.machines {
                None => balancer::Passes::Http,
                Some(_) => balancer::Passes::Tcp,
            },
            idle_timeout: options.idle_timeout,
        };
        let balancer = Balancer::start(settings).await?;
        let stop = CancellationToken::new();
        tokio::spawn(observation::publish(
            emulators.own.clone(),
            arns,
            publisher,
            stop.clone(),
        ));
        let keeping = host::keep(
            host.clone(),
            clients.clone(),
            observed.clone(),
            options.choice.clone(),
        );
        tokio::spawn(stop.clone().run_until_cancelled_owned(keeping));
        Ok(Self {
            name: options.service.clone(),
            world,
            service_port,
            session_port,
            server_port,
            session_faults,
            observed,
            signing,
            host,
            balancer,
            blue: options.blue,
            _stop: stop.drop_guard(),
        })
    }

    /// Waits until all of blue's servers are healthy targets.
    pub(crate) async fn until_healthy(&self, directory: &Path) -> Result<()> {
        let logs = directory.join("logs");
        let what = format!(
            "{} healthy blue servers (their logs are in {})",
            self.blue,
            logs.display()
        );
        until(&what, HEALTHY_LIMIT, || async {
            let seen = self.observed.borrow();
            let blue: Vec<_> = self.world.groups_of(&self.world.a);
            let blue: Vec<_> = blue.iter().map(|group| seen.group(group)).collect();
            let all = |it: &Option<&Forwarding>| it.is_some_and(|it| it.healthy.len() == self.blue);
            if blue.iter().all(all) {
                return Ok(Seen::Done(()));
            }
            let servers = self.host.servers().into_iter();
            let processes: Vec<_> = servers
                .map(|server| (server.instance, server.process))
                .collect();
            let health: Vec<_> = blue.iter().map(|it| it.map(|it| &it.health)).collect();
            Ok(Seen::NotYet(format!(
                "targets {health:?}, processes {processes:?}"
            )))
        })
        .await
    }
}

//! `ebbtide-local load`: one deployment of thousands of tunnels, many of them busy, and what it costs.
//!
//! Starts a local cloud of its own, with a load balancer of several processes. Busy tunnels carry a request that their
//! applications hold; once everything idle is on green, those are answered, and blue is to be gone. Short requests are
//! sent all the time. Judges that nothing was cut or failed, and the pace; processor time and memory it only reports.

mod balancers;
mod requests;
mod usage;
mod verdict;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_local_cloud::{Error, Execution, LocalCloud, Result};
use tokio_util::sync::CancellationToken;

use crate::tunnels::accepts::Accepts;
use crate::tunnels::clients::Clients;
use crate::tunnels::{allow_files, on_a_cloud};
use balancers::Balancers;
use requests::{Held, Short, Tally};
use usage::{Table, Usage};

/// Everything that is started is gone after this, whatever happens.
const LONGEST: Duration = Duration::from_secs(900);
const OPEN_WITHIN: Duration = Duration::from_secs(240);
const BUSY_WITHIN: Duration = Duration::from_secs(120);
/// What a drain may take besides its pace.
const DRAIN_SLACK: Duration = Duration::from_secs(180);
/// How long the busy tunnels are watched alone, some passes of the workflow.
const HELD_ALONE: Duration = Duration::from_secs(15);
const IDLE_TIMEOUT: Duration = Duration::from_secs(1200);

/// A tunnel's client, a caller of a busy tunnel, and the callers' kept connections.
const FILES_PER_TUNNEL: u64 = 1;
const FILES_PER_BUSY: u64 = 1;
const OTHER_FILES: u64 = 1_000;

/// How much is put on it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Tunnels to open on three blue servers
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    tunnels: u32,
    /// How many of them carry a request from before the deployment until all others are on green
    #[arg(long, default_value_t = 2_000)]
    busy: u32,
    /// The deployment's drain.closuresPerSecond
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pace: u32,
    /// Processes of the load balancer; each holds two files for every tunnel and request of its share
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    balancers: u8,
}

/// All that was seen.
#[derive(Debug)]
struct Measured {
    /// Green's accepts of idle tunnels, and of those that were busy, once they were not.
    idle: Accepts,
    formerly_busy: Accepts,
    /// Busy tunnels that blue still held when everything idle was on green.
    busy_on_blue: usize,
    ended_early: Tally,
    held: Tally,
    short: Tally,
    status: ExecutionStatus,
    blue_left: usize,
    usage: Table,
    took: Duration,
}

/// Runs it once. Fails if anything busy was cut, a request failed, or a second saw more than a fifth above the pace.
pub(crate) async fn load(arguments: Arguments) -> Result<ExitCode> {
    if arguments.busy > arguments.tunnels {
        return Err(Error::Input(
            "--busy cannot be more than --tunnels".to_owned(),
        ));
    }
    let (tunnels, busy) = (u64::from(arguments.tunnels), u64::from(arguments.busy));
    let here = tunnels * FILES_PER_TUNNEL + busy * FILES_PER_BUSY;
    let balancing = (tunnels + busy) * 2 / u64::from(arguments.balancers);
    allow_files(here.max(balancing) + OTHER_FILES)?;
    on_a_cloud(
        LONGEST,
        async |cloud: &LocalCloud| measure(cloud, arguments).await,
        |measured| verdict::tell(&measured, arguments),
    )
    .await
}

async fn measure(cloud: &LocalCloud, arguments: Arguments) -> Result<Measured> {
    let (tunnels, busy) = (arguments.tunnels as usize, arguments.busy as usize);
    let blue: Vec<String> = cloud.servers().into_iter().map(|it| it.instance).collect();
    let balancers = Balancers::start(cloud, usize::from(arguments.balancers), IDLE_TIMEOUT).await?;
    let listeners = balancers.listeners();
    println!(
        "opening {tunnels} tunnels on {} blue servers, through {} processes of the load balancer",
        blue.len(),
        listeners.len()
    );
    let (usage, began) = (Usage::start(cloud.directory()), Instant::now());
    let let_go = CancellationToken::new();
    let clients = Clients::open(listeners, tunnels, &blue, &let_go);
    on_each(&clients, tunnels, 0, OPEN_WITHIN).await?;
    println!("opened in {:.1} s", began.elapsed().as_secs_f64());
    let mut held = Held::begin(listeners, busy).await?;
    all_busy(&clients, busy).await?;
    let short = Short::begin(listeners, tunnels)?;
    println!(
        "{busy} of them are busy; deploying, at {} closures a second",
        arguments.pace
    );
    let deploying = Instant::now();
    let input = serde_json::json!({
        "bake": {"seconds": 3},
        "drain": {"settleSeconds": 1, "pollSeconds": 5, "closuresPerSecond": arguments.pace},
    });
    let execution = cloud.deploy(None, &input).await?;
    let drained_within = |count: usize| {
        let seconds = count as u64 / u64::from(arguments.pace);
        DRAIN_SLACK + Duration::from_secs(seconds)
    };
    let all_idle_on_green = on_each(&clients, busy, tunnels - busy, drained_within(tunnels));
    tokio::select! {
        there = all_idle_on_green => there?,
        reason = held.first_end() => return Err(Error::Input(format!("a held request ended: {reason}"))),
    }
    println!(
        "everything idle is on green after {:.1} s",
        deploying.elapsed().as_secs_f64()
    );
    tokio::time::sleep(HELD_ALONE).await;
    let (busy_on_blue, ended_early) = (clients.held().0, held.ended_early());
    let idle = clients.accepts();
    let answered = Instant::now();
    let_go.cancel();
    println!("the {busy} held requests are answered");
    let held = held.answers().await;
    let status = ended(&execution, drained_within(busy)).await?;
    on_each(&clients, 0, tunnels, Duration::from_secs(30)).await?;
    let short = short.end().await;
    Ok(Measured {
        idle,
        busy_on_blue,
        ended_early,
        held,
        short,
        status,
        blue_left: still_up(cloud, &blue).await?,
        usage: usage.table(),
        took: deploying.elapsed(),
        formerly_busy: clients.close().await.since(answered),
    })
}

/// Waits until blue and green hold as many tunnels.
async fn on_each(clients: &Clients, blue: usize, green: usize, within: Duration) -> Result<()> {
    let what = format!("{blue} tunnels on blue and {green} on green");
    until(&what, within, || async {
        let (on_blue, on_green) = clients.held();
        Ok(if (on_blue, on_green) == (blue, green) {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{on_blue} on blue, {on_green} on green"))
        })
    })
    .await
}

async fn all_busy(clients: &Clients, busy: usize) -> Result<()> {
    until("the held requests to arrive", BUSY_WITHIN, || async {
        let arrived = clients.in_flight();
        Ok(if arrived == busy {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{arrived} of {busy}"))
        })
    })
    .await
}

async fn ended(execution: &Execution, within: Duration) -> Result<ExecutionStatus> {
    let standing = execution.ended(within).await?;
    if standing.status != ExecutionStatus::Succeeded {
        println!("{}", standing.describe(None));
    }
    Ok(standing.status)
}

async fn still_up(cloud: &LocalCloud, blue: &[String]) -> Result<usize> {
    let instances = cloud.instances().await?.into_iter();
    Ok(instances
        .filter(|instance| blue.contains(&instance.id) && instance.is_up())
        .count())
}

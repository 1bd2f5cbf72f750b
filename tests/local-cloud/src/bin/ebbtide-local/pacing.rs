//! `ebbtide-local pacing`: how evenly green gets the clients back when blue is drained of thousands of idle tunnels.
//!
//! Starts a local cloud of its own, opens the tunnels through its load balancer, runs one deployment, and counts by its
//! own clock when green has accepted each client. It judges seconds, not the machine: whatever else runs here shows.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_local_cloud::{Error, LocalCloud, Result};
use tokio_util::sync::CancellationToken;

use crate::tunnels::accepts::Accepts;
use crate::tunnels::clients::Clients;
use crate::tunnels::standstill::{Standstill, Watch};
use crate::tunnels::{allow_files, on_a_cloud};

/// Everything that is started is gone after this, whatever happens.
const LONGEST: Duration = Duration::from_secs(420);
const OPEN_WITHIN: Duration = Duration::from_secs(120);
const DEPLOYED_WITHIN: Duration = Duration::from_secs(240);
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// A tunnel's client, and the load balancer's two ends, are files of this process.
const FILES_PER_TUNNEL: u64 = 3;
/// What this process needs besides.
const OTHER_FILES: u64 = 500;

/// How much is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Idle tunnels to open on three blue servers.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    tunnels: u32,
    /// The deployment's drain.closuresPerSecond.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pace: u32,
}

/// Measures once. Fails if a second saw more than a fifth above the pace, or a tunnel was lost.
pub(crate) async fn pacing(arguments: Arguments) -> Result<ExitCode> {
    allow_files(u64::from(arguments.tunnels) * FILES_PER_TUNNEL + OTHER_FILES)?;
    on_a_cloud(
        LONGEST,
        async |cloud: &LocalCloud| measure(cloud, arguments).await,
        |(accepts, standstills)| conclude(&accepts, &standstills, arguments),
    )
    .await
}

async fn measure(cloud: &LocalCloud, arguments: Arguments) -> Result<(Accepts, Vec<Standstill>)> {
    let blue: Vec<String> = cloud.servers().into_iter().map(|it| it.instance).collect();
    let tunnels = arguments.tunnels as usize;
    println!("opening {tunnels} tunnels on {} blue servers", blue.len());
    let opening = Instant::now();
    let listener = cloud.listener().to_owned();
    let clients = Clients::open(&[listener], tunnels, &blue, &CancellationToken::new());
    let all_on = |what: &'static str, blue: usize, within| {
        let clients = &clients;
        until(what, within, move || async move {
            let (on_blue, on_green) = clients.held();
            Ok(if (on_blue, on_green) == (blue, tunnels - blue) {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{on_blue} on blue, {on_green} on green"))
            })
        })
    };
    all_on("every tunnel to be open", tunnels, OPEN_WITHIN).await?;
    println!(
        "opened in {:.1} s; deploying, at {} closures a second",
        opening.elapsed().as_secs_f64(),
        arguments.pace
    );
    let input = serde_json::json!({
        "bake": {"seconds": 3},
        "drain": {"settleSeconds": 1, "closuresPerSecond": arguments.pace},
    });
    let (deploying, watch) = (Instant::now(), Watch::start());
    let standing = cloud
        .deploy(None, &input)
        .await?
        .ended(DEPLOYED_WITHIN)
        .await?;
    if standing.status != ExecutionStatus::Succeeded {
        return Err(Error::Input(standing.describe(None)));
    }
    println!(
        "{} after {:.1} s",
        standing.status,
        deploying.elapsed().as_secs_f64()
    );
    all_on("every tunnel to be on green", 0, BACK_WITHIN).await?;
    let standstills = watch.seen();
    Ok((clients.close().await, standstills))
}

fn conclude(accepts: &Accepts, standstills: &[Standstill], arguments: Arguments) -> ExitCode {
    let judged = accepts.judge(f64::from(arguments.pace));
    println!("\ngreen's accepts, second by second, the first on the left:");
    for row in judged.seconds.chunks(20) {
        println!(
            "{}",
            row.iter()
                .map(|count| format!("{count:>5}"))
                .collect::<String>()
        );
    }
    println!("\n{judged}");
    let (median, longest) = accepts.ways();
    println!(
        "a client without a tunnel     median {} ms  longest {} ms",
        median.as_millis(),
        longest.as_millis()
    );
    let still: Vec<(f64, Duration)> = standstills
        .iter()
        .filter_map(|(ended, lasted)| Some((accepts.second_of(*ended)?, *lasted)))
        .collect();
    println!(
        "this process stood still      {:.1} s in all, {} ms at the longest",
        still
            .iter()
            .map(|(_, lasted)| *lasted)
            .sum::<Duration>()
            .as_secs_f64(),
        still
            .iter()
            .map(|(_, lasted)| lasted.as_millis())
            .max()
            .unwrap_or(0),
    );
    for second in &judged.above {
        // What waited in the second before is accepted in this one.
        let around = (*second as f64 - 1.0)..(*second as f64 + 1.0);
        let lost = still.iter().filter(|(ended, _)| around.contains(ended));
        println!(
            "second {second:<4} {:>5} accepts; in it and the one before, this process stood still for {:.2} s",
            judged.seconds[*second],
            lost.map(|(_, lasted)| *lasted)
                .sum::<Duration>()
                .as_secs_f64(),
        );
    }
    if accepts.lost() > 0 {
        println!("tunnels that broke            {}", accepts.lost());
    }
    if judged.is_within() && accepts.lost() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

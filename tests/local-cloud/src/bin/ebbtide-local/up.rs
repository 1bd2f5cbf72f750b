//! `ebbtide-local up`: starts the process that holds the cloud, and shows its progress until the cloud is ready.

use std::fs::File;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use ebbtide_local_cloud::kept::{CloudFile, Kept};
use ebbtide_local_cloud::stack::STACK;
use ebbtide_local_cloud::{Error, Result, places};
use tokio::process::{Child, Command};

use crate::down;

/// Installing the emulators comes on top of this, once.
const LIMIT: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) async fn up() -> Result<ExitCode> {
    let kept = Kept::of(&places::repository()?)?;
    let Some(hold) = kept.hold()? else {
        let cloud = ready(&kept, None).await?;
        println!("The local cloud is already up.");
        describe(&cloud);
        return Ok(ExitCode::SUCCESS);
    };
    if kept.clean(&hold) {
        println!("tidied up after a local cloud that was not ended in order");
    }
    kept.forget_logs(&hold);
    drop(hold);
    let mut server = start(&kept)?;
    let cloud = tokio::select! {
        cloud = ready(&kept, Some(&mut server)) => Some(cloud?),
        _ = tokio::signal::ctrl_c() => None,
    };
    let Some(cloud) = cloud else {
        println!("interrupted: ending what was started");
        down::end(&kept).await?;
        return Ok(ExitCode::from(130));
    };
    println!("The local cloud is up.");
    describe(&cloud);
    Ok(ExitCode::SUCCESS)
}

fn start(kept: &Kept) -> Result<Child> {
    let this = std::env::current_exe()
        .map_err(Error::io("cannot find", Path::new("the running program")))?;
    let log = |name: &str| {
        let path = kept.log(name);
        let opened = File::options().create(true).append(true).open(&path);
        opened.map_err(Error::io("cannot write", &path))
    };
    // A process group of its own: Ctrl-C at this terminal is not meant for it.
    let started = Command::new(&this)
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(log("progress.log")?)
        .stderr(log("supervisor.log")?)
        .process_group(0)
        .spawn();
    started.map_err(Error::io("cannot start", &this))
}

/// Waits until the cloud is ready, and prints what its holder says meanwhile.
async fn ready(kept: &Kept, mut server: Option<&mut Child>) -> Result<CloudFile> {
    let (started, mut shown) = (Instant::now(), 0);
    loop {
        if server.is_some() {
            shown = show(&kept.log("progress.log"), shown);
        }
        // `down` may be about to remove the file: only a held cloud is up.
        if let Some(cloud) = kept.read() {
            return Ok(cloud);
        }
        if let Some(process) = server.as_mut() {
            if let Ok(Some(status)) = process.try_wait() {
                if kept.hold()?.is_some() {
                    return Err(ended(kept, &status.to_string()));
                }
                // Somebody else was faster: theirs is the cloud to wait for.
                server = None;
            }
        } else if kept.hold()?.is_some() {
            return Err(Error::Missing(
                "the local cloud ended while this was waiting for it".to_owned(),
            ));
        }
        if started.elapsed() > LIMIT {
            return Err(ended(
                kept,
                "it is still not ready; `ebbtide-local down` ends it",
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn ended(kept: &Kept, why: &str) -> Error {
    let log = kept.log("supervisor.log");
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    Error::Program {
        what: "the local cloud".to_owned(),
        why: format!(
            "{why}: {}",
            said.lines().last().unwrap_or("it said nothing")
        ),
        log,
    }
}

/// Prints what was added to a log since `shown` bytes of it; returns how many are shown now.
fn show(log: &Path, shown: usize) -> usize {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let Some(news) = text.get(shown..).filter(|news| news.ends_with('\n')) else {
        return shown;
    };
    print!("{news}");
    text.len()
}

fn describe(cloud: &CloudFile) {
    println!("  listener       {}", cloud.listener);
    println!("  state machine  {}", cloud.state_machine_arn);
    println!(
        "  AWS            {} (EC2, ELB: {}), credentials test/test",
        cloud.ministack, cloud.moto
    );
    println!("  logs           {}", cloud.logs.display());
    println!(
        "make deployment INPUT='{{}}' deploys; make down ends it. For the command ebbtide (docs/cli.md), and for the AWS CLI:"
    );
    for line in exports(cloud) {
        println!("  {line}");
    }
}

/// What makes AWS's own tools, and ours, speak to this cloud.
fn exports(cloud: &CloudFile) -> [String; 3] {
    [
        format!(
            "export AWS_ENDPOINT_URL={0} AWS_REGION={1} AWS_DEFAULT_REGION={1} EBBTIDE_STACK={STACK}",
            cloud.ministack, cloud.region
        ),
        format!(
            "export AWS_ENDPOINT_URL_EC2={0} AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2={0} AWS_ENDPOINT_URL_AUTO_SCALING={0}",
            cloud.moto
        ),
        "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test PATH=\"$PWD/target/debug:$PATH\""
            .to_owned(),
    ]
}

//! MiniStack and moto, started for one cloud on free ports, with private directories.
//!
//! MiniStack plays CloudFormation, Lambda, Step Functions and DynamoDB; moto plays EC2 and Elastic Load Balancing, which
//! MiniStack's Lambdas reach through the SDKs' own variables. Nothing here knows what is deployed.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Child;

use crate::error::{Error, Result};
use crate::faults::AwsFaults;
use crate::http;
use crate::moto::Moto;
use crate::program::{Program, last_lines};
use crate::recording::Recording;
use crate::venv::Venv;
use crate::wait::{Seen, until};
use crate::{REGION, ports};

const START_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What moto multiplies the five seconds between health checks by: ELB takes no shorter interval, a test has no time.
const HEALTH_CHECK_SCALE: &str = "0.1";

/// The two emulators of one cloud.
#[derive(Debug)]
pub struct Emulators {
    /// MiniStack's URL.
    pub ministack: String,
    /// moto's URL.
    pub moto: String,
    /// What moto does beside the API.
    pub(crate) own: Moto,
    /// Where moto tells load balancers of every change to their listeners.
    pub routes_port: u16,
    ministack_process: Child,
    moto_process: Child,
    faults: Option<AwsFaults>,
    recording: Option<Recording>,
}

impl Emulators {
    /// Starts both and waits until both answer; with `faults`, and where calls are recorded, the functions' calls go by a
    /// proxy.
    ///
    /// # Errors
    /// If one of them cannot be started or does not answer in time.
    pub async fn start(
        venv: &Venv,
        scripts: &Path,
        directory: &Path,
        faults: bool,
    ) -> Result<Self> {
        let (ministack_port, moto_port) = (ports::free()?, ports::free()?);
        let routes_port = ports::free()?;
        let ministack = format!("http://127.0.0.1:{ministack_port}");
        let moto = format!("http://127.0.0.1:{moto_port}");
        let moto_program = Program::new("moto", venv.program("python"), directory)
            .arg(scripts.join("moto_server.py"))
            .args([moto_port.to_string().as_str(), HEALTH_CHECK_SCALE])
            .arg(routes_port.to_string())
            .env("PYTHONPATH", scripts.join("quick"))
            // Seven hundred images that nobody launches, parsed at the first call.
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false");
        let own = Moto::at(&moto)?;
        let recording = Recording::of_environment()?;
        let proxies = || AwsFaults::start(&moto, &ministack, directory, &own, recording.clone());
        let faults = (faults || recording.is_some()).then(proxies).transpose()?;
        let mut ministack_program = Self::ministack(venv, directory, ministack_port, &moto)?
            .env("PYTHONPATH", scripts.join("quick"));
        if let Some(proxies) = &faults {
            ministack_program = at(ministack_program, &proxies.moto());
            for service in ["DYNAMODB", "SFN", "CLOUDWATCH", "SECRETS_MANAGER"] {
                let variable = format!("AWS_ENDPOINT_URL_{service}");
                ministack_program = ministack_program.env(&variable, proxies.ministack());
            }
        }
        let (ministack_log, moto_log) = (
            ministack_program.log().to_owned(),
            moto_program.log().to_owned(),
        );
        let mut emulators = Self {
            ministack_process: ministack_program.start()?,
            moto_process: moto_program.start()?,
            ministack,
            moto,
            own,
            routes_port,
            faults,
            recording,
        };
        let health = format!("{}/_ministack/health", emulators.ministack);
        answers(
            "MiniStack",
            &health,
            &mut emulators.ministack_process,
            &ministack_log,
        )
        .await?;
        let health = format!("{}/moto-api/data.json", emulators.moto);
        answers("moto", &health, &mut emulators.moto_process, &moto_log).await?;
        Ok(emulators)
    }

    fn ministack(venv: &Venv, directory: &Path, port: u16, moto: &str) -> Result<Program> {
        let mut program = Program::new("ministack", venv.program("ministack"), directory)
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_REGION", REGION)
            // Its MQTT listener would take a fixed port.
            .env("IOT_MTLS_ENABLED", "0")
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
        program = at(program, moto);
        for (variable, name) in [
            ("TMPDIR", "tmp"),
            ("STATE_DIR", "state"),
            ("S3_DATA_DIR", "s3"),
        ] {
            let private = directory.join("ministack").join(name);
            std::fs::create_dir_all(&private).map_err(Error::io("cannot make", &private))?;
            program = program.env(variable, private);
        }
        Ok(program)
    }

    /// The process ids of MiniStack and moto.
    pub fn pids(&self) -> Vec<u32> {
        [self.ministack_process.id(), self.moto_process.id()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The proxy before AWS, if there is one.
    pub(crate) fn faults(&self) -> Option<&AwsFaults> {
        self.faults.as_ref()
    }

    /// The stack that the functions' calls from now on are made by, for whoever records them.
    pub(crate) fn deployed(&self, name: &str, table: &str, parameters: &[(String, String)]) {
        if let Some(recording) = &self.recording {
            recording.stack(name, table, parameters);
        }
    }

    /// Multiplies every wait and retry interval of the state machines by `scale`, from now on.
    ///
    /// # Errors
    /// If MiniStack refuses.
    pub async fn set_wait_scale(&self, scale: f64) -> Result<()> {
        let url = format!("{}/_ministack/config", self.ministack);
        let asked = serde_json::json!({ "stepfunctions._SFN_WAIT_SCALE": scale });
        let call = "MiniStack's configuration";
        let _: Value = http::post(&http::client()?, &url, call, &asked).await?;
        Ok(())
    }

    /// Makes moto do what no API action does; see `control.py`.
    ///
    /// # Errors
    /// If moto refuses.
    pub(crate) async fn control(&self, act: &str, asked: &Value) -> Result<()> {
        let _: Value = self.own.ask(act, asked).await?;
        Ok(())
    }

    /// Kills both: neither holds anything that is wanted afterwards. What they started is the warden's to end.
    pub async fn stop(mut self) {
        for process in [&mut self.ministack_process, &mut self.moto_process] {
            let _ = process.start_kill();
            let _ = tokio::time::timeout(STOP_LIMIT, process.wait()).await;
        }
    }
}

/// Points the functions at moto, or at what stands before it.
fn at(program: Program, moto: &str) -> Program {
    program
        .env("AWS_ENDPOINT_URL_EC2", moto)
        .env("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", moto)
        .env("AWS_ENDPOINT_URL_AUTO_SCALING", moto)
}

async fn answers(what: &str, url: &str, process: &mut Child, log: &Path) -> Result<()> {
    let client = http::client()?;
    let died = |why: String| Error::Program {
        what: what.to_owned(),
        why,
        log: log.to_owned(),
    };
    let waited_for = format!("{what} to answer at {url}");
    let asked = until(&waited_for, START_LIMIT, || {
        let ended = process.try_wait();
        let (client, url) = (client.clone(), url.to_owned());
        async move {
            if let Ok(Some(status)) = ended {
                return Err(Error::Missing(format!("{status}")));
            }
            Ok(match client.get(url).send().await {
                Ok(answer) if answer.status().is_success() => Seen::Done(()),
                Ok(answer) => Seen::NotYet(answer.status().to_string()),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        }
    });
    asked
        .await
        .map_err(|error| died(format!("{error}; it said: {}", last_lines(log))))
}

//! Builds and deploys the unmodified template with the SAM CLI, as a user does.
//!
//! `sam build` runs once per process into a directory of its own below `target/`, so that a user's `.aws-sam` is left
//! alone; `sam deploy` runs per cloud. The functions themselves are what cargo built beside the running program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_cloudformation::types::{ResourceStatus, StackEvent, StackStatus};
use tokio::sync::OnceCell;

use crate::clients::Clients;
use crate::emulators::Emulators;
use crate::error::{Error, Result};
use crate::program::Program;
use crate::venv::Venv;
use crate::wait::{self, Seen};
use crate::{places, world};

/// How long a deletion may take: a time-out of the guard, and the rest.
const LIMIT: Duration = Duration::from_secs(300);

/// The stack's name, and so the state machine's.
pub const STACK: &str = "ebbtide";

/// What a deployed stack says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The state machine.
    pub state_machine_arn: String,
    /// The table of the service's record.
    pub table: String,
}

/// Where to build from, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Sam<'a> {
    /// The repository.
    pub repository: &'a Path,
    /// The SAM CLI's environment.
    pub venv: &'a Venv,
    /// The cloud's private directory, for logs.
    pub directory: &'a Path,
}

/// The template that `sam build` left, once per process.
static BUILT: OnceCell<PathBuf> = OnceCell::const_new();

impl Sam<'_> {
    /// Runs `sam build`, unless this process has already done so.
    ///
    /// # Errors
    /// If it fails; the message has the end of its output.
    pub async fn build(self) -> Result<&'static Path> {
        let built = BUILT.get_or_try_init(|| self.build_anew()).await?;
        Ok(built)
    }

    /// As [`Sam::build`], with this program in the place of a function's; both are named as the template and cargo do.
    ///
    /// # Errors
    /// As [`Sam::build`], or if there is no such program.
    pub async fn build_with(self, function: &str, program: &str) -> Result<PathBuf> {
        let built = self.build().await?;
        let builds = self.repository.join("target/sam-build");
        let of_this_process = builds.join(std::process::id().to_string());
        let into = tempfile::tempdir_in(&of_this_process)
            .map_err(Error::io("cannot make a directory in", &of_this_process))?
            .keep();
        let built = built.parent().unwrap_or(built);
        for entry in std::fs::read_dir(built).map_err(Error::io("cannot read", built))? {
            let path = entry.map_err(Error::io("cannot read", built))?.path();
            let copy = into.join(path.file_name().unwrap_or_default());
            std::fs::copy(&path, &copy).map_err(Error::io("cannot copy", &path))?;
        }
        let archive = into.join(format!("{function}.zip"));
        std::fs::remove_file(&archive).map_err(Error::io("cannot remove", &archive))?;
        let code = into.join(function);
        std::fs::create_dir(&code).map_err(Error::io("cannot make", &code))?;
        let program = places::programs()?.join(program);
        std::fs::copy(&program, code.join("bootstrap"))
            .map_err(Error::io("cannot copy", &program))?;
        let template = into.join("template.yaml");
        let text = std::fs::read_to_string(&template)
            .map_err(Error::io("cannot read", &template))?
            .replace(&format!("{function}.zip"), function);
        std::fs::write(&template, text).map_err(Error::io("cannot write", &template))?;
        self.zip(&into).await?;
        Ok(template)
    }

    /// Makes zip files of the functions' directories, and names them in the template.
    async fn zip(self, built: &Path) -> Result<()> {
        let zip = Program::new("zip-functions", self.venv.program("python"), self.directory);
        zip.arg(
            self.repository
                .join("tests/local-cloud/python/zip_functions.py"),
        )
        .arg(built)
        .run()
        .await?;
        Ok(())
    }

    async fn build_anew(self) -> Result<PathBuf> {
        let builds = self.repository.join("target/sam-build");
        forget_builds_of_the_dead(&builds);
        // The SAM CLI writes a file beside its build directory, too.
        let into = builds.join(std::process::id().to_string()).join("build");
        let programs = places::programs()?;
        let target = programs.parent().unwrap_or(&programs);
        self.sam("sam-build")?
            .args([
                "build",
                "--parallel",
                "--template-file",
                "template.yaml",
                "--build-dir",
            ])
            .arg(&into)
            .env("EBBTIDE_PROFILE", "dev")
            .env("CARGO_TARGET_DIR", target)
            .run()
            .await?;
        self.zip(&into).await?;
        Ok(into.join("template.yaml"))
    }

    /// Runs `sam deploy` with these parameters and reads the stack's outputs.
    ///
    /// # Errors
    /// If it fails, or the stack lacks an output.
    pub async fn deploy(
        self,
        built: &Path,
        emulators: &Emulators,
        clients: &Clients,
        parameters: &[(String, String)],
    ) -> Result<Stack> {
        let overrides = parameters
            .iter()
            // The SAM CLI takes an empty value in quotes only.
            .map(|(name, value)| match value.as_str() {
                "" => format!("{name}=\"\""),
                value => format!("{name}={value}"),
            });
        self.sam("sam-deploy")?
            .args([
                "deploy",
                "--stack-name",
                STACK,
                "--resolve-s3",
                "--no-confirm-changeset",
                "--no-fail-on-empty-changeset",
            ])
            .args([
                "--no-progressbar",
                "--capabilities",
                "CAPABILITY_IAM",
                "CAPABILITY_AUTO_EXPAND",
                "--template-file",
            ])
            .arg(built)
            .arg("--parameter-overrides")
            .args(overrides)
            .env("AWS_ENDPOINT_URL", &emulators.ministack)
            // Five seconds between looks at the stack, if not told otherwise.
            .env("SAM_CLI_POLL_DELAY", "0.2")
            .env(
                "PYTHONPATH",
                self.repository.join("tests/local-cloud/python/quick"),
            )
            .run()
            .await?;
        let stack = outputs(clients).await?;
        emulators.deployed(STACK, &stack.table, parameters);
        Ok(stack)
    }

    /// The SAM CLI without telemetry, with an application directory in `target/` instead of the user's home, in which
    /// the weekly look for a newer version counts as done: without a network it would cost five seconds.
    fn sam(self, log: &str) -> Result<Program> {
        let home = self.directory.join("sam");
        std::fs::create_dir_all(&home).map_err(Error::io("cannot make", &home))?;
        let now = jiff::Timestamp::now().as_second();
        let metadata = serde_json::json!({ "telemetryEnabled": false, "lastVersionCheck": now });
        let file = home.join("metadata.json");
        std::fs::write(&file, metadata.to_string()).map_err(Error::io("cannot write", &file))?;
        Ok(Program::new(log, self.venv.program("sam"), self.directory)
            .current_dir(self.repository)
            .env("SAM_CLI_TELEMETRY", "0")
            .env("__SAM_CLI_APP_DIR", home))
    }
}

/// Deletes the stack and waits for what becomes of it: nothing, or the reason why it is still there.
pub(crate) async fn delete(clients: &Clients) -> Result<Option<String>> {
    let cloudformation = &clients.cloudformation;
    let ordered = cloudformation.delete_stack().stack_name(STACK).send().await;
    ordered.map_err(Error::aws("DeleteStack"))?;
    wait::until("the stack's deletion", LIMIT, || async {
        let described = cloudformation
            .describe_stacks()
            .stack_name(STACK)
            .send()
            .await;
        let stacks = described
            .map(|it| it.stacks.unwrap_or_default())
            .unwrap_or_default();
        let status = stacks.first().and_then(|stack| stack.stack_status());
        Ok(match status {
            None | Some(StackStatus::DeleteComplete) => Seen::Done(None),
            Some(StackStatus::DeleteFailed) => Seen::Done(Some(refusal(clients).await?)),
            Some(other) => Seen::NotYet(other.to_string()),
        })
    })
    .await
}

/// What happened to the stack's resources, the newest first.
async fn events(clients: &Clients) -> Result<Vec<StackEvent>> {
    let pages = clients
        .cloudformation
        .describe_stack_events()
        .stack_name(STACK);
    let pages = pages.into_paginator().items().send();
    let all: Vec<StackEvent> = pages
        .try_collect()
        .await
        .map_err(Error::aws("DescribeStackEvents"))?;
    let of_resources = all
        .into_iter()
        .filter(|event| event.logical_resource_id() != Some(STACK));
    Ok(of_resources.collect())
}

/// The resource whose deletion began first.
pub(crate) async fn first_deleted(clients: &Clients) -> Result<String> {
    let events = events(clients).await?;
    let mut begun = events
        .iter()
        .rev()
        .filter(|event| event.resource_status() == Some(&ResourceStatus::DeleteInProgress));
    let first = begun.next().and_then(|event| event.logical_resource_id());
    first
        .map(str::to_owned)
        .ok_or_else(|| world::missing("DescribeStackEvents", "a deletion"))
}

/// The last words of a resource that could not be updated or deleted.
pub(crate) async fn refusal(clients: &Clients) -> Result<String> {
    let events = events(clients).await?;
    let failed = events.iter().find(|event| {
        let failed = [ResourceStatus::DeleteFailed, ResourceStatus::UpdateFailed];
        event
            .resource_status()
            .is_some_and(|it| failed.contains(it))
    });
    let reason = failed.and_then(|event| {
        let (id, reason) = (
            event.logical_resource_id()?,
            event.resource_status_reason()?,
        );
        Some(format!("{id}: {reason}"))
    });
    reason.ok_or_else(|| world::missing("DescribeStackEvents", "why the stack is as it was"))
}

async fn outputs(clients: &Clients) -> Result<Stack> {
    let described = clients
        .cloudformation
        .describe_stacks()
        .stack_name(STACK)
        .send()
        .await
        .map_err(Error::aws("DescribeStacks"))?;
    let outputs = described
        .stacks()
        .first()
        .map(|stack| stack.outputs())
        .unwrap_or_default();
    let output = |key: &str| {
        let found = outputs
            .iter()
            .find(|output| output.output_key() == Some(key));
        found
            .and_then(|output| output.output_value())
            .map(ToOwned::to_owned)
            .ok_or_else(|| world::missing("DescribeStacks", &format!("the output {key}")))
    };
    Ok(Stack {
        state_machine_arn: output("StateMachineArn")?,
        table: output("TableName")?,
    })
}

/// Removes what processes that no longer run have built.
fn forget_builds_of_the_dead(builds: &Path) {
    let entries = std::fs::read_dir(builds).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let is_a_build = name
            .to_str()
            .is_some_and(|name| name.parse::<u32>().is_ok());
        if is_a_build && !Path::new("/proc").join(&name).exists() {
            let _ = std::fs::remove_dir_all(builds.join(name));
        }
    }
}

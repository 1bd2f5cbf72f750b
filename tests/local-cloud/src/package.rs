//! Builds the unmodified template with the SAM CLI, as a user does, and packages it.
//!
//! Once per process, into a directory of its own below `target/`, so that a user's `.aws-sam` is left alone. The functions
//! themselves are what cargo built beside the running program.

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::places;
use crate::program::Program;
use crate::venv::Venv;

/// Where the packaged template says that its files are: BUCKET in `python/package.py`.
pub(crate) const BUCKET: &str = "ebbtide-packages";
/// The packaged template among them.
pub(crate) const TEMPLATE: &str = "template.yaml";

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

/// What `sam build` made, once per process, and what was packaged of it.
static PACKAGED: OnceCell<(PathBuf, PathBuf)> = OnceCell::const_new();

impl Sam<'_> {
    /// A directory with the packaged template and every file that it names.
    ///
    /// # Errors
    /// If `sam build` or the packaging fails; the message has the end of its output.
    pub async fn package(self) -> Result<&'static Path> {
        Ok(&self.once().await?.1)
    }

    /// As [`Sam::package`], with this program in the place of a function's; both are named as the template and cargo do.
    ///
    /// # Errors
    /// As [`Sam::package`], or if there is no such program.
    pub async fn package_with(self, function: &str, program: &str) -> Result<PathBuf> {
        let (built, packaged) = self.once().await?;
        let beside = packaged.parent().unwrap_or(packaged);
        let into = tempfile::tempdir_in(beside)
            .map_err(Error::io("cannot make a directory in", beside))?
            .keep()
            .join("packaged");
        let program = places::programs()?.join(program);
        if !program.is_file() {
            let missing = format!("{} is missing", program.display());
            return Err(Error::Missing(missing));
        }
        let other = format!("{function}={}", program.display());
        self.package_into(built, &into, Some(&other)).await?;
        Ok(into)
    }

    async fn once(self) -> Result<&'static (PathBuf, PathBuf)> {
        PACKAGED
            .get_or_try_init(|| async {
                let builds = self.repository.join("target/sam-build");
                forget_builds_of_the_dead(&builds);
                let own = builds.join(std::process::id().to_string());
                // Process ids come again, in containers above all.
                let _ = std::fs::remove_dir_all(&own);
                let (built, packaged) = (own.join("build"), own.join("packaged"));
                self.build(&built).await?;
                self.package_into(&built, &packaged, None).await?;
                Ok((built, packaged))
            })
            .await
    }

    /// The SAM CLI writes a file beside `into`, too.
    async fn build(self, into: &Path) -> Result<()> {
        let programs = places::programs()?;
        let target = programs.parent().unwrap_or(&programs);
        self.sam("sam-build")?
            .args(["build", "--parallel", "--template-file", TEMPLATE])
            .arg("--build-dir")
            .arg(into)
            .env("EBBTIDE_PROFILE", "dev")
            .env("CARGO_TARGET_DIR", target)
            .run()
            .await
    }

    async fn package_into(self, built: &Path, into: &Path, other: Option<&str>) -> Result<()> {
        let script = self.repository.join("tests/local-cloud/python/package.py");
        Program::new("package", self.venv.program("python"), self.directory)
            .arg(script)
            .args([built, into])
            .args(other)
            .run()
            .await
    }

    /// Runs `sam deploy` of what was packaged, as another stack of this cloud.
    pub(crate) async fn deploy(
        self,
        stack: &str,
        ministack: &str,
        parameters: &[(String, String)],
    ) -> Result<()> {
        let overrides = parameters
            .iter()
            // The SAM CLI takes an empty value in quotes only.
            .map(|(name, value)| match value.as_str() {
                "" => format!("{name}=\"\""),
                value => format!("{name}={value}"),
            });
        self.sam("sam-deploy")?
            .args(["deploy", "--no-confirm-changeset", "--no-progressbar"])
            .args(["--resolve-s3", "--stack-name", stack, "--template-file"])
            .arg(self.package().await?.join(TEMPLATE))
            .arg("--parameter-overrides")
            .args(overrides)
            .env("AWS_ENDPOINT_URL", ministack)
            .run()
            .await
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

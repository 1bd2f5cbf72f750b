//! What each command does.

mod deploy;
mod explain;
mod history;
mod plan;
mod status;
pub(crate) mod wish;

use clap::CommandFactory as _;
use jiff::Timestamp;

use crate::arguments::{Arguments, Command, Common};
use crate::aws::Aws;
use crate::failed::Failed;
use crate::looks::{Back, Looks};
use crate::print;

/// Does what was typed.
///
/// # Errors
/// [`Failed`], whose status the process ends with.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failed> {
    let Arguments { common, command } = arguments;
    match command {
        Command::Explain(asked) => explain::explain(&asked, common.output),
        Command::Completions { shell } => {
            let mut of = Arguments::command();
            clap_complete::generate(shell, &mut of, "ebbtide", &mut std::io::stdout());
            Ok(())
        }
        Command::Man => {
            let written =
                clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout());
            written.map_err(|error| Failed::Usage(error.to_string()))
        }
        command => with_stack(&common, command).await,
    }
}

async fn with_stack(common: &Common, command: Command) -> Result<(), Failed> {
    let stack = common.stack.as_ref().filter(|name| !name.is_empty());
    let stack = stack.ok_or_else(|| {
        Failed::Usage("which stack? --stack NAME, or EBBTIDE_STACK in the environment".to_owned())
    })?;
    let aws = Aws::connect(stack).await?;
    let output = common.output;
    match command {
        Command::Status => status::status(aws, output).await,
        Command::Watch(asked) => status::watch(aws, asked, output).await,
        Command::Deploy(asked) => deploy::deploy(aws, asked, output).await,
        Command::Plan(asked) => plan::plan(&aws, &asked, output).await,
        Command::History(asked) => history::history(&aws, asked.limit, output).await,
        Command::Seen => print::json(&Looks::new(aws, Back::Last).see().await?),
        wish => wish::wish(&aws, wish, output).await,
    }
}

/// A name for an execution, of this moment: the SDK may have to ask twice, and the second time finds the first.
fn name(what: &str) -> String {
    let now = Timestamp::now().to_string();
    let digits: String = now.chars().filter(char::is_ascii_digit).take(17).collect();
    let (day, time) = digits.split_at(digits.len().min(8));
    format!("{what}-{day}-{time}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_what_step_functions_takes() {
        let name = super::name("deploy");
        assert!(name.len() < 80, "{name}");
        assert!(
            name.chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '-'),
            "{name}"
        );
        assert!(name.starts_with("deploy-20"), "{name}");
    }
}

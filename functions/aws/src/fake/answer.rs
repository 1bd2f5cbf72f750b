//! One operation of the fake: its call is noted, its fault happens, and it acts on the world.

use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_types::error::ErrorMetadata;

use super::{Fault, World};

/// What a client gets.
pub(super) type Answer = Result<Output, OrchestratorError<Error>>;
/// What an operation does: its output, or a code and a message.
pub(super) type Acted<O> = Result<O, (&'static str, String)>;

/// Answers `input` if it is this operation's.
pub(super) fn operation<I, O, E>(
    world: &mut World,
    input: &Input,
    name: &str,
    error: fn(ErrorMetadata) -> E,
    act: impl FnOnce(&mut World, &I) -> Acted<O>,
) -> Option<Answer>
where
    I: std::fmt::Debug + Send + Sync + 'static,
    O: std::fmt::Debug + Send + Sync + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let input = input.downcast_ref::<I>()?;
    world.calls.push(name.to_owned());
    let refused = |code: &str, message: &str| {
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        Err(OrchestratorError::operation(Error::erase(error(metadata))))
    };
    let fault = world.fault(name);
    let act = |world: &mut World, input: &I| {
        world.begin(name);
        let acted = act(world, input);
        world.end(name, acted.is_ok() && fault != Some(Fault::ReplyLost));
        acted
    };
    if fault == Some(Fault::Superseding) {
        world.overtake();
    }
    Some(match fault {
        Some(Fault::Refused(code)) => refused(code, "as the test wants it"),
        Some(Fault::Unreachable) => {
            Err(OrchestratorError::timeout("the call never arrived".into()))
        }
        Some(Fault::ReplyLost) => {
            // What it would have answered is what gets lost.
            let _ = act(world, input);
            Err(OrchestratorError::timeout("the reply was lost".into()))
        }
        Some(Fault::Superseding) | None => match act(world, input) {
            Ok(output) => Ok(Output::erase(output)),
            Err((code, message)) => refused(code, &message),
        },
    })
}

/// One page of `items`: those from `token` on, and the token of the next page.
pub(super) fn page<T: Clone>(items: &[T], token: Option<&str>) -> (Vec<T>, Option<String>) {
    const PAGE: usize = 2;
    let from = token
        .and_then(|token| token.parse::<usize>().ok())
        .unwrap_or_default()
        .min(items.len());
    let to = (from + PAGE).min(items.len());
    (
        items[from..to].to_vec(),
        (to < items.len()).then(|| to.to_string()),
    )
}

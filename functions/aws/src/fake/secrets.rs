//! Secrets Manager: one secret, whose versions are the world's, the last of them current.

use aws_sdk_secretsmanager::operation::get_secret_value::{
    GetSecretValueError, GetSecretValueInput, GetSecretValueOutput,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;

use super::World;
use super::answer::{Answer, operation};

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    operation(
        world,
        input,
        "GetSecretValue",
        GetSecretValueError::generic,
        |world: &mut World, asked: &GetSecretValueInput| {
            let versions_before = match asked.version_stage() {
                Some("AWSPREVIOUS") => 1,
                _ => 0,
            };
            let version = world.secrets.iter().rev().nth(versions_before);
            let text = version.ok_or_else(|| {
                let words =
                    "Secrets Manager can't find the specified secret value for staging label";
                ("ResourceNotFoundException", words.to_owned())
            })?;
            Ok(GetSecretValueOutput::builder().secret_string(text).build())
        },
    )
}

//! The SDK's clients of the fake: real ones, whose answers an interceptor sets.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::answer::Answer;
#[cfg(feature = "signing")]
use super::secrets;
use super::{Fake, alarms, danger, dynamodb, elb, executions};
#[cfg(feature = "instances")]
use super::{auto_scaling, ec2};
use crate::{Clients, LedgerClients};

macro_rules! client {
    ($sdk:ident, $fake:expr) => {{
        let config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region($sdk::config::Region::new("eu-west-1"))
            .credentials_provider($sdk::config::Credentials::new(
                "test", "test", None, None, "fake",
            ))
            .retry_config(RetryConfig::disabled())
            .http_client(SharedHttpClient::new(Nowhere))
            .interceptor(World::of($fake))
            .build();
        $sdk::Client::from_conf(config)
    }};
}

pub(super) fn clients(fake: &Fake) -> Clients {
    Clients {
        #[cfg(feature = "instances")]
        ec2: client!(aws_sdk_ec2, fake),
        elb: client!(aws_sdk_elasticloadbalancingv2, fake),
        #[cfg(feature = "instances")]
        auto_scaling: client!(aws_sdk_autoscaling, fake),
        dynamodb: client!(aws_sdk_dynamodb, fake),
        cloudwatch: client!(aws_sdk_cloudwatch, fake),
    }
}

pub(super) fn ledger_clients(fake: &Fake) -> LedgerClients {
    LedgerClients {
        dynamodb: client!(aws_sdk_dynamodb, fake),
        sfn: client!(aws_sdk_sfn, fake),
        cloudwatch: client!(aws_sdk_cloudwatch, fake),
    }
}

#[cfg(feature = "signing")]
pub(super) fn secrets_manager(fake: &Fake) -> aws_sdk_secretsmanager::Client {
    client!(aws_sdk_secretsmanager, fake)
}

/// Answers by the world, whatever came over the wire.
struct World {
    fake: Fake,
    answers: Mutex<HashMap<u64, Answer>>,
    next: AtomicU64,
}

impl World {
    fn of(fake: &Fake) -> Self {
        Self {
            fake: fake.clone(),
            answers: Mutex::default(),
            next: AtomicU64::default(),
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<u64, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the call, at whichever end of it comes first.
    fn set_answer(&self, context: &mut FinalizerInterceptorContextMut<'_>, config: &ConfigBag) {
        let Some(AnswerId(id)) = config.load::<AnswerId>() else {
            return;
        };
        if let Some(answer) = self.answers().remove(id) {
            context.inner_mut().set_output_or_error(answer);
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// Which answer belongs to this call.
#[derive(Debug, Clone)]
struct AnswerId(u64);

impl Storable for AnswerId {
    type Storer = StoreReplace<AnswerId>;
}

impl Intercept for World {
    fn name(&self) -> &'static str {
        "World"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input();
        let world = &mut self.fake.world();
        let answer = danger::answer(world, input)
            .or_else(|| elb::answer(world, input))
            .or_else(|| dynamodb::answer(world, input))
            .or_else(|| executions::answer(world, input))
            .or_else(|| alarms::answer(world, input));
        #[cfg(feature = "instances")]
        let answer = answer
            .or_else(|| danger::instances::answer(world, input))
            .or_else(|| ec2::answer(world, input))
            .or_else(|| auto_scaling::answer(world, input));
        #[cfg(feature = "signing")]
        let answer = answer.or_else(|| secrets::answer(world, input));
        let answer =
            answer.ok_or_else(|| format!("the fake knows no such operation: {input:?}"))?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.answers().insert(id, answer);
        config.interceptor_state().store_put(AnswerId(id));
        Ok(())
    }

    /// The request could be built. What is answered well stops here: its endpoint, its signature and the way over
    /// [`Nowhere`] would only take time. A refusal goes on, because the SDK makes one only of a response.
    fn read_after_serialization(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(AnswerId(id)) = config.load::<AnswerId>() else {
            return Ok(());
        };
        match self.answers().get(id) {
            Some(Ok(_)) => Err("answered".into()),
            _ => Ok(()),
        }
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.set_answer(context, config);
        Ok(())
    }

    fn modify_before_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.set_answer(context, config);
        Ok(())
    }
}

/// A network without anybody: every answer is an empty refusal, which the interceptor replaces.
#[derive(Debug, Clone, Copy)]
struct Nowhere;

impl HttpClient for Nowhere {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Nowhere)
    }
}

impl HttpConnector for Nowhere {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let status = aws_smithy_runtime_api::http::StatusCode::try_from(400);
        HttpConnectorFuture::ready(
            status
                .map(|status| HttpResponse::new(status, SdkBody::empty()))
                .map_err(|error| ConnectorError::other(error.into(), None)),
        )
    }
}

//! The service's signing secret: the master of today, and the one of before.
//!
//! Secrets Manager keeps both by itself: `put-secret-value` moves the label AWSPREVIOUS to the former version
//! (https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html). So a rotation is one command, and
//! servers that have keys of the former master go on to be called.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_secretsmanager::Client;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use ebbtide_signature::Master;
use tokio::sync::OnceCell;

use crate::CloudError;
use crate::error::Called;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// How long masters are taken for the newest: a rotation reaches every function within it. By the clock of the day: Lambda
/// freezes a process between invocations, and what counts only while it runs could stand still for hours.
const FRESH: Duration = Duration::from_secs(60);

/// Reads the masters of signing secrets.
#[derive(Debug, Default)]
pub struct SigningSecrets {
    /// Built when it is needed: most stacks sign nothing.
    client: OnceCell<Client>,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    arn: String,
    masters: Arc<[Master]>,
    at: SystemTime,
}

impl Known {
    /// A clock that was set back makes it old.
    fn is_fresh(&self) -> bool {
        self.at.elapsed().is_ok_and(|age| age < FRESH)
    }
}

impl SigningSecrets {
    /// Behind a client of the process's environment.
    pub fn connect() -> Self {
        Self::default()
    }

    #[cfg(feature = "fake")]
    pub(crate) fn of(client: Client) -> Self {
        Self {
            client: OnceCell::new_with(Some(client)),
            known: Mutex::default(),
        }
    }

    /// The masters of this secret, the newest first, as they were a minute ago at the most; without a secret there are none.
    ///
    /// # Errors
    /// AWS's failure, where none were read before: masters that are known are better than a drain that stands still. Or that
    /// what is in the secret is too short to be one.
    pub async fn masters(&self, arn: Option<&str>) -> Result<Arc<[Master]>, CloudError> {
        let Some(arn) = arn else {
            return Ok(Arc::default());
        };
        let known = self.known().filter(|known| known.arn == arn);
        if let Some(known) = known.as_ref().filter(|known| known.is_fresh()) {
            return Ok(Arc::clone(&known.masters));
        }
        match (self.read(arn).await, known) {
            (Ok(masters), _) => {
                self.know(Known {
                    arn: arn.to_owned(),
                    masters: Arc::clone(&masters),
                    at: SystemTime::now(),
                });
                Ok(masters)
            }
            (Err(error), Some(known)) => {
                tracing::warn!(%error, "the signing secret cannot be read; its last masters go on");
                Ok(known.masters)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn read(&self, arn: &str) -> Result<Arc<[Master]>, CloudError> {
        let connect = async || Client::new(&crate::configuration().await);
        let secret = Secret {
            client: self.client.get_or_init(connect).await,
            arn,
        };
        let current = secret.version(CURRENT).await?;
        let current = current.ok_or_else(|| secret.unfit("it has no value yet"))?;
        let mut masters = vec![current];
        masters.extend(secret.version(PREVIOUS).await?);
        Ok(masters.into())
    }

    fn known(&self) -> Option<Known> {
        let known = self.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn know(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

/// One secret.
struct Secret<'a> {
    client: &'a Client,
    arn: &'a str,
}

impl Secret<'_> {
    /// The master of this label; none where no version has it.
    async fn version(&self, label: &str) -> Result<Option<Master>, CloudError> {
        let call = self.client.get_secret_value().secret_id(self.arn);
        let answer = match call.version_stage(label).send().await {
            Err(error)
                if label == PREVIOUS && error.code() == Some("ResourceNotFoundException") =>
            {
                return Ok(None);
            }
            answer => answer.called(|| self.operation())?,
        };
        let text = answer.secret_string.map(Into::into);
        let text = text.ok_or_else(|| self.unfit("it is binary, and a text is expected"))?;
        match Master::new(&text) {
            Ok(master) => Ok(Some(master)),
            Err(weak) => Err(self.unfit(&weak.to_string())),
        }
    }

    fn operation(&self) -> String {
        format!("GetSecretValue of {}", self.arn)
    }

    fn unfit(&self, why: &str) -> CloudError {
        CloudError::unexpected(self.operation(), why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Fault};

    const ARN: Option<&str> = Some("arn:aws:secretsmanager:eu-west-1:123456789012:secret:tunnel");
    const FIRST: &str = "the first master, of thirty-two characters";
    const SECOND: &str = "the second master, of thirty-two characters";

    /// What was read was read long ago.
    fn age(secrets: &SigningSecrets) {
        let known = secrets.known().unwrap();
        let at = known.at.checked_sub(FRESH).unwrap();
        secrets.know(Known { at, ..known });
    }

    fn ids(masters: &[Master]) -> Vec<String> {
        let id = |master: &Master| master.key_of("i-1").id().to_owned();
        masters.iter().map(id).collect()
    }

    fn id(text: &str) -> String {
        Master::new(&text.into())
            .unwrap()
            .key_of("i-1")
            .id()
            .to_owned()
    }

    #[tokio::test]
    async fn the_current_and_the_previous_master_are_read_the_current_first() {
        let fake = Fake::new();
        fake.world().secrets.push(FIRST.to_owned());
        let secret = fake.signing_secrets();
        assert_eq!(ids(&secret.masters(ARN).await.unwrap()), [id(FIRST)]);
        fake.world().secrets.push(SECOND.to_owned());
        // Within a minute nobody asks again, but for another secret.
        let other = secret.masters(Some("another")).await.unwrap();
        assert_eq!(ids(&other), [id(SECOND), id(FIRST)]);
        let secret = fake.signing_secrets();
        fake.world().secrets.pop();
        assert_eq!(ids(&secret.masters(ARN).await.unwrap()), [id(FIRST)]);
        fake.world().secrets.push(SECOND.to_owned());
        assert_eq!(ids(&secret.masters(ARN).await.unwrap()), [id(FIRST)]);
        age(&secret);
        assert_eq!(
            ids(&secret.masters(ARN).await.unwrap()),
            [id(SECOND), id(FIRST)]
        );
    }

    #[tokio::test]
    async fn masters_that_are_known_go_on_when_the_secret_cannot_be_read() {
        let fake = Fake::new();
        fake.world().secrets.push(FIRST.to_owned());
        let secret = fake.signing_secrets();
        fake.fail("GetSecretValue", Fault::Refused("AccessDeniedException"));
        let error = secret.masters(ARN).await.unwrap_err();
        assert_eq!(
            ebbtide_rules::Failure::name(&error),
            ebbtide_rules::ErrorName::AccessDenied
        );
        assert!(secret.masters(ARN).await.is_ok());
        age(&secret);
        fake.fail("GetSecretValue", Fault::Unreachable);
        assert_eq!(ids(&secret.masters(ARN).await.unwrap()), [id(FIRST)]);
    }

    #[tokio::test]
    async fn a_secret_that_is_none_is_refused_without_its_text() {
        let fake = Fake::new();
        fake.world().secrets.push("password1".to_owned());
        let error = fake.signing_secrets().masters(ARN).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains("at least 32"), "{error}");
        assert!(!error.contains("password1"), "{error}");
    }

    #[tokio::test]
    async fn no_secret_is_no_signature() {
        let none = SigningSecrets::connect();
        assert!(none.masters(None).await.unwrap().is_empty());
    }
}

//! Looks at a service, one after the other: each reads what is new, and remembers the rest.

use std::collections::HashMap;

use ebbtide_rules::record::{Owner, Record};
use jiff::Timestamp;

use crate::aws::{Aws, Ended};
use crate::failed::Failed;
use crate::seen::{Counted, Execution, Known, Seen, Told};
use crate::view::View;

/// Checks that are kept of an execution.
const MOST_COUNTED: usize = 2000;

/// How far back the first look reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// As far as a person reads: the last three passes.
    Last,
    /// As far as a chart is worth it: some thirty passes.
    Far,
}

impl Back {
    /// In events of a history; a pass has 33.
    fn events(self) -> i64 {
        match self {
            Self::Last => 100,
            Self::Far => 1000,
        }
    }
}

/// Looks at one service.
#[derive(Debug)]
pub(crate) struct Looks {
    aws: Aws,
    back: Back,
    read: HashMap<String, Read>,
}

/// What was read of an execution.
#[derive(Debug, Default)]
struct Read {
    newest: i64,
    told: Option<Told>,
    counted: Vec<Counted>,
    document: Known,
}

impl Looks {
    /// At the service of a stack.
    pub(crate) fn new(aws: Aws, back: Back) -> Self {
        Self {
            aws,
            back,
            read: HashMap::new(),
        }
    }

    /// Looks, and says what is to be seen now.
    ///
    /// # Errors
    /// When AWS does not answer, or the record is of another version.
    pub(crate) async fn look(&mut self) -> Result<View, Failed> {
        let seen = self.see().await?;
        Ok(View::of(&seen, Timestamp::now()))
    }

    /// Looks, and says whether the execution `until` has ended: asked first, so that the view is not older than the end.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub(crate) async fn look_until(
        &mut self,
        until: Option<&str>,
    ) -> Result<(View, Option<Ended>), Failed> {
        let ended = match until {
            Some(arn) => self.aws.end(arn).await?,
            None => None,
        };
        Ok((self.look().await?, ended))
    }

    /// Looks.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub(crate) async fn see(&mut self) -> Result<Seen, Failed> {
        let record = self.aws.record().await?;
        let mut executions = Vec::new();
        for arn in acting(&record) {
            let execution = self.aws.execution(&arn).await?;
            executions.push(self.follow(execution).await?);
        }
        self.read
            .retain(|arn, _| executions.iter().any(|it| it.arn == *arn));
        Ok(Seen {
            stack: self.aws.stack.clone(),
            service: self.aws.service.clone(),
            record,
            executions,
        })
    }

    async fn follow(&mut self, mut execution: Execution) -> Result<Execution, Failed> {
        let read = self.read.entry(execution.arn.clone()).or_default();
        let news = self
            .aws
            .news(&execution.arn, read.newest, self.back.events())
            .await?;
        read.newest = news.newest;
        // ExecutionStarted is the first event, and none of those that are read.
        let from_start = news.events.first().is_some_and(|it| it.id <= 2);
        let told = read.told.get_or_insert_with(|| Told::new(from_start));
        told.add(news.events);
        read.counted.extend(news.counted);
        let surplus = read.counted.len().saturating_sub(MOST_COUNTED);
        read.counted.drain(..surplus);
        if let Some(document) = news.document {
            read.document = document;
        }
        execution.events.clone_from(&told.events);
        execution.counted.clone_from(&read.counted);
        execution.document = read.document.clone();
        Ok(execution)
    }
}

/// The executions that the record names, each once.
fn acting(record: &Record) -> Vec<String> {
    let front = record.front.iter().map(|front| &front.owner);
    let owners = front.chain(record.retiring.iter().map(|entry| &entry.owner));
    let mut acting: Vec<String> = Vec::new();
    for Owner { execution, .. } in owners {
        if !acting.contains(execution) {
            acting.push(execution.clone());
        }
    }
    acting
}

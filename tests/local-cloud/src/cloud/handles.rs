//! The handles of a running cloud that scenarios, the demo and `ebbtide-local` use.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_rules::record::Record;
use tokio::sync::watch;

use super::LocalCloud;
use crate::balancer::Balancer;
use crate::clients::Clients;
use crate::emulators::Emulators;
use crate::error::{Error, Result, chain};
use crate::execution::Execution;
use crate::faults::{AwsFaults, SessionFaults};
use crate::host::{Host, Server};
use crate::ledger::Ledger;
use crate::observation::{self, Instance, Observation};
use crate::report::{self, Report};
use crate::signing::SigningSecret;
use crate::stack::{STACK, Stack};
use crate::world::{Forward, World, forward};

/// How long a scenario waits for a server's report: a busy machine is not what it looks for.
const REPORT_LIMIT: Duration = Duration::from_secs(30);

impl LocalCloud {
    /// The load balancer's address, `http://127.0.0.1:port`: its first listener's.
    pub fn listener(&self) -> &str {
        &self.listeners[0]
    }

    /// Where clients connect to each of [`World::forwards`], in their order.
    pub fn listeners(&self) -> &[String] {
        &self.listeners
    }

    /// AWS clients for the emulators.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Ids and ARNs of the service's AWS resources.
    pub fn world(&self) -> &World {
        &self.service.world
    }

    /// The deployed stack's outputs.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.service.name
    }

    /// The port of every server's session endpoint, as the stack knows it.
    pub fn session_port(&self) -> u16 {
        self.service.session_port
    }

    /// The secret that calls of servers are signed with.
    ///
    /// # Errors
    /// [`Error::Missing`] without [`crate::Options::signed`].
    pub fn signing(&self) -> Result<&SigningSecret> {
        let signing = self.service.signing.as_ref();
        signing.ok_or_else(|| Error::Missing("the cloud has no signing secret".to_owned()))
    }

    /// The proxy before the servers' session endpoints.
    ///
    /// # Errors
    /// [`Error::Missing`] without [`crate::Options::faults`].
    pub fn session_faults(&self) -> Result<&SessionFaults> {
        let faults = self.service.session_faults.as_ref();
        faults.ok_or_else(|| Error::Missing("Options::faults is off".to_owned()))
    }

    /// The proxy before the AWS services that the functions call.
    ///
    /// # Errors
    /// [`Error::Missing`] without [`crate::Options::faults`], or once the emulators were stopped.
    pub fn aws_faults(&self) -> Result<&AwsFaults> {
        let faults = self.emulators()?.faults();
        faults.ok_or_else(|| Error::Missing("Options::faults is off".to_owned()))
    }

    /// The port of every server's public side.
    pub fn service_port(&self) -> u16 {
        self.service.service_port
    }

    /// The private directory; logs are in `logs` below it.
    pub fn directory(&self) -> &Path {
        self.ground.directory.path()
    }

    /// The emulators.
    ///
    /// # Errors
    /// [`Error::Missing`] once they were stopped.
    pub fn emulators(&self) -> Result<&Emulators> {
        self.emulators
            .as_ref()
            .ok_or_else(|| Error::Missing("the emulators were stopped".to_owned()))
    }

    /// The server processes.
    pub fn host(&self) -> &Host {
        &self.service.host
    }

    /// The load balancer.
    pub fn balancer(&self) -> &Balancer {
        &self.service.balancer
    }

    /// What EC2 and ELB say, kept up to date twice a second.
    pub fn observed(&self) -> watch::Receiver<Observation> {
        self.service.observed.clone()
    }

    /// All servers that were ever started.
    pub fn servers(&self) -> Vec<Server> {
        self.service.host.servers()
    }

    /// The report of every server whose instance runs, or why there is none; asked of the servers themselves, whatever
    /// faults there are.
    pub async fn reports(&self) -> BTreeMap<String, Result<Report>> {
        let instances = self.service.observed.borrow().instances.clone();
        let up = instances.iter().filter(|instance| instance.is_up());
        let reading = up.map(|instance| async {
            let at = (instance.ip, self.service.server_port);
            let signing = self.service.signing.as_ref();
            let keys = signing.map(|it| it.keys_of(&instance.id));
            let report =
                report::read(&self.http, at, &keys.unwrap_or_default(), REPORT_LIMIT).await;
            (instance.id.clone(), report)
        });
        futures_util::future::join_all(reading)
            .await
            .into_iter()
            .collect()
    }

    /// Invokes a function of the stack, by the last part of its name, and returns what it answers.
    ///
    /// # Errors
    /// If MiniStack does not answer, or the function fails.
    pub async fn invoke(
        &self,
        function: &str,
        event: &serde_json::Value,
    ) -> Result<serde_json::Value> {
        let ministack = &self.emulators()?.ministack;
        let url = format!("{ministack}/2015-03-31/functions/{STACK}-{function}/invocations");
        let asked = self.http.post(&url).json(event).send();
        let asked = async { asked.await?.error_for_status()?.json().await };
        asked.await.map_err(|error: reqwest::Error| Error::Aws {
            call: format!("Invoke {function}"),
            why: chain(&error),
        })
    }

    /// Starts a deployment and returns its execution's ARN.
    ///
    /// # Errors
    /// If Step Functions refuses.
    pub async fn start_execution(&self, input: &serde_json::Value) -> Result<String> {
        Ok(self.deploy(None, input).await?.arn().to_owned())
    }

    /// Starts a deployment, named or not.
    ///
    /// # Errors
    /// If Step Functions refuses.
    pub async fn deploy(&self, name: Option<&str>, input: &serde_json::Value) -> Result<Execution> {
        Execution::start(
            &self.clients.sfn,
            &self.stack.state_machine_arn,
            name,
            &input.to_string(),
        )
        .await
    }

    /// Adds a version to the launch template; see [`World::add_version`].
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn add_version(&self, user_data: &str) -> Result<i64> {
        self.service
            .world
            .add_version(&self.clients, user_data)
            .await
    }

    /// Terminates an instance behind the deployment's back, as an operator does in the console.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn terminate(&self, instance: &str) -> Result<()> {
        self.clients
            .ec2
            .terminate_instances()
            .instance_ids(instance)
            .send()
            .await
            .map_err(Error::aws("TerminateInstances"))?;
        Ok(())
    }

    /// The first listener's weights of target groups a, b and c; `None` for a group that is not in its forward action.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn weights(&self) -> Result<[Option<u32>; 3]> {
        self.weights_of(&self.world().forwards()[0]).await
    }

    /// The same of every listener and rule, in the order of [`World::forwards`].
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn all_weights(&self) -> Result<Vec<[Option<u32>; 3]>> {
        let forwards = self.world().forwards();
        let reading = forwards.iter().map(|forward| self.weights_of(forward));
        futures_util::future::try_join_all(reading).await
    }

    async fn weights_of(&self, forward: &Forward) -> Result<[Option<u32>; 3]> {
        let now = observation::action(&self.clients, &forward.arn).await?;
        Ok(forward
            .groups
            .each_ref()
            .map(|it| now.get(&it.arn).copied()))
    }

    /// Changes the first listener's weights behind the deployment's back: the action names a and b then.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn set_weights(&self, a: i32, b: i32) -> Result<()> {
        self.set_weights_of(&self.world().forwards()[0], a, b).await
    }

    /// The same of any listener or rule.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn set_weights_of(&self, of: &Forward, a: i32, b: i32) -> Result<()> {
        let action = forward(&[(&of.groups[0].arn, a), (&of.groups[1].arn, b)]);
        let elb = &self.clients.elb;
        if of.is_rule() {
            let change = elb.modify_rule().rule_arn(&of.arn).actions(action);
            change.send().await.map_err(Error::aws("ModifyRule"))?;
        } else {
            let change = elb.modify_listener().listener_arn(&of.arn);
            let change = change.default_actions(action);
            change.send().await.map_err(Error::aws("ModifyListener"))?;
        }
        Ok(())
    }

    /// The instances that EC2 knows now.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn instances(&self) -> Result<Vec<Instance>> {
        observation::instances(&self.clients).await
    }

    /// The service's record; free at epoch 0 if there is none.
    ///
    /// # Errors
    /// If DynamoDB does not answer, or the record cannot be read.
    pub async fn record(&self) -> Result<Record> {
        self.ledger().record().await
    }

    /// The table that the record is in, for who reads it again and again.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            dynamodb: self.clients.dynamodb.clone(),
            table: self.stack.table.clone(),
            service: self.service.name.clone(),
        }
    }

    /// What the table says about one deployment, each attribute as text; empty if it says nothing.
    ///
    /// # Errors
    /// If DynamoDB does not answer.
    pub async fn deployment_item(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let item = self.ledger().item(&format!("deployment {name}")).await?;
        let texts = item.iter().map(|(name, value)| (name.clone(), text(value)));
        Ok(texts.collect())
    }

    /// The deployed state machine's executions, name and status, the newest first: continuations among them, staged
    /// redrives and variants not.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn executions(&self) -> Result<Vec<(String, ExecutionStatus)>> {
        let listed = self
            .clients
            .sfn
            .list_executions()
            .state_machine_arn(&self.stack.state_machine_arn)
            .send()
            .await
            .map_err(Error::aws("ListExecutions"))?;
        let executions = listed.executions.into_iter();
        Ok(executions
            .map(|execution| (execution.name, execution.status))
            .collect())
    }

    /// The execution of the deployed state machine with this name.
    pub fn execution(&self, name: &str) -> Execution {
        let machine = &self.stack.state_machine_arn;
        let of = machine.replacen(":stateMachine:", ":execution:", 1);
        Execution::of(&self.clients.sfn, &format!("{of}:{name}"))
    }
}

fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::Bool(is) => is.to_string(),
        other => format!("{other:?}"),
    }
}

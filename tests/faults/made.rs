//! How each fault is made, and by what it is known to have struck. For the page.

use crate::matrix::Fault;

/// Two sentences at most.
pub(crate) fn made(fault: Fault) -> &'static str {
    match fault {
        Fault::DiesBefore => {
            "The call that the stage is for, of AWS or of a server, is kept back and the function's process killed."
        }
        Fault::ReplyLost => {
            "That call is done, its answer kept back, and the function's process killed."
        }
        Fault::Ghost => {
            "A call whose function was killed is let go after the end, after the rollback, or when another deployment holds the front; the claim and the release of a deployment that has ended are asked for again. The world is compared before and after."
        }
        Fault::EndpointTimesOut
        | Fault::EndpointRefuses
        | Fault::EndpointUnauthorized
        | Fault::EndpointServerError
        | Fault::EndpointBrokenJson
        | Fault::EndpointNegative
        | Fault::EndpointAbsurd
        | Fault::EndpointOther
        | Fault::EndpointSlow => {
            "A proxy before the session endpoints, ten servers at once, each wrong in another way; it counts the calls that it spoiled."
        }
        Fault::EndpointReplyLost => {
            "The same proxy hands the order on and resets the connection before the answer."
        }
        Fault::AwsThrottles | Fault::AwsDenies => {
            "A proxy before EC2, Elastic Load Balancing, Auto Scaling and DynamoDB, as the functions call them, answers in the service's own code and status; it counts the calls that it refused."
        }
        Fault::InstanceEnds => {
            "TerminateInstances, by somebody else, while the deployment waits at the stage's gate. A different instance at each stage."
        }
        Fault::ProcessDies | Fault::GreenDies => {
            "SIGKILL, while the deployment waits at the stage's gate; EC2 goes on calling the instance running. At launch, a green process that ends as it starts."
        }
        Fault::Hangs | Fault::GreenHangs => {
            "SIGSTOP at the stage's gate, SIGCONT once the deployment has told of it. Its connections stay open, nothing is answered."
        }
        Fault::Restarts => {
            "SIGKILL and a new process with the same state file, while the deployment waits at the stage's gate. Epoch and seal are compared before and after."
        }
        Fault::AddressReused => {
            "Another instance's server answers at the address, in good order and with nothing in use, from the stage's gate on."
        }
        Fault::SessionsArrive => {
            "At the stage's gate an idle session and a busy one come through the load balancer, of which half follows new weights three seconds late."
        }
        Fault::SessionsTurnBusy => {
            "At the stage's gate an idle session on blue gets a request that stays in flight; at the release, one on green."
        }
        Fault::GroupLaunches => {
            "Blue is an Auto Scaling group, whose desired and largest sizes grow by one at the stage's gate; the stage begins when the new server is healthy."
        }
        Fault::GroupEnds => {
            "From the stage's gate on, a member of blue's group that holds nobody fails its health checks. Before the group is held it ends and is replaced; then its process is suspended."
        }
        Fault::RefreshStarts => {
            "StartInstanceRefresh at the stage's gate, with a member that somebody has unprotected; the emulator lets it go on. Before the group is held it replaces that member; then it is paused."
        }
        Fault::SizedToZero => {
            "Smallest and desired size of blue's group are set to 0 at the stage's gate; protected members pay no heed to it."
        }
        Fault::ApplyResumes => {
            "At the stage's gate ResumeProcesses of all of blue's group, and a member fails its health check: at switch the one that has the busy session. The hook has it in Terminating:Wait."
        }
        Fault::ApplySizes => {
            "Blue's group gets back the sizes that it had at the plan, once servers have ended, and launches anew."
        }
        Fault::OperatorAborts => {
            "StopExecution while the deployment waits at the stage's gate; the next deployment is told so. Then the execution is redriven."
        }
        Fault::SecondDeployment => {
            "An execution with the same input, started while the deployment waits at the stage's gate. At plan and claim it is the second one that wins, and the first is told so."
        }
    }
}

//! The host against made-up instances and a `sleep` for a server.

use super::*;
use crate::wait::{Seen, until};

fn settings(directory: &Path) -> Settings {
    Settings {
        directory: directory.to_owned(),
        service_port: 1,
        session_port: 8081,
        proxies: None,
        tunnel_server: "false".into(),
        tunnel_arguments: Vec::new(),
        signing: None,
        python: "python3".into(),
        scripts: PathBuf::new(),
        machines: PathBuf::new(),
    }
}

fn instance(id: &str, ip: u8, state: &str) -> Instance {
    Instance {
        id: id.to_owned(),
        ip: Ipv4Addr::new(127, 0, 10, ip),
        state: state.to_owned(),
        tags: BTreeMap::from([("ebbtide:environment".to_owned(), "tunnel-a".to_owned())]),
    }
}

fn sleeper() -> ServerProgram {
    ServerProgram::Command("sleep".into(), vec!["60".to_owned()])
}

fn states(host: &Host) -> Vec<ProcessState> {
    host.servers()
        .into_iter()
        .map(|server| server.process)
        .collect()
}

async fn until_states(host: &Host, wanted: &[ProcessState]) {
    until("the processes' states", Duration::from_secs(10), || async {
        let seen = states(host);
        Ok(if seen == wanted {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{seen:?}"))
        })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_terminated_instance_loses_its_process_and_the_others_keep_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(settings(directory.path())).unwrap();
    let mut instances = [instance("i-1", 4, "running"), instance("i-2", 5, "running")];
    for new in host.unknown(&instances) {
        host.launch(new, &sleeper()).unwrap();
    }
    host.follow(&instances).await.unwrap();
    assert_eq!(states(&host), [ProcessState::Running; 2]);
    "terminated".clone_into(&mut instances[0].state);
    host.follow(&instances).await.unwrap();
    assert_eq!(states(&host), [ProcessState::Ended, ProcessState::Running]);
    let first = host.servers()[0].pid;
    assert!(
        !Path::new(&format!("/proc/{first}")).exists(),
        "follow returned before the process was gone"
    );
    assert_eq!(
        std::fs::read_to_string(directory.path().join("peers")).unwrap(),
        "127.0.10.5:8081\n"
    );
}

#[tokio::test]
async fn an_instance_that_ec2_no_longer_lists_loses_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(settings(directory.path())).unwrap();
    host.launch(&instance("i-1", 4, "running"), &sleeper())
        .unwrap();
    host.follow(&[]).await.unwrap();
    assert_eq!(states(&host), [ProcessState::Ended]);
}

#[tokio::test]
async fn a_process_that_dies_by_itself_is_not_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(settings(directory.path())).unwrap();
    let instances = [instance("i-1", 4, "running")];
    host.launch(&instances[0], &sleeper()).unwrap();
    host.kill("i-1").unwrap();
    until_states(&host, &[ProcessState::Died]).await;
    host.follow(&instances).await.unwrap();
    assert!(
        host.unknown(&instances).is_empty(),
        "it would be started again"
    );
    assert!(
        host.kill("i-1").is_err(),
        "a signal to a process that is gone could hit a stranger"
    );
}

#[tokio::test]
async fn a_stopped_process_has_no_thread_that_still_runs() {
    const BUSY: &str = "import hashlib, threading\n\
                        work = lambda: hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)\n\
                        [threading.Thread(target=work).start() for _ in range(8)]";
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(settings(directory.path())).unwrap();
    let busy = ServerProgram::Command("python3".into(), vec!["-c".to_owned(), BUSY.to_owned()]);
    host.launch(&instance("i-1", 4, "running"), &busy).unwrap();
    let process = host.servers()[0].pid;
    until("its threads", Duration::from_secs(30), || async {
        let threads = threads(process);
        Ok(if threads.len() > 8 {
            Seen::Done(())
        } else {
            Seen::NotYet(threads)
        })
    })
    .await
    .unwrap();
    // Many times: the window between the signal and its effect is short.
    for _ in 0..50 {
        host.stop("i-1").unwrap();
        let threads = threads(process);
        assert!(threads.chars().all(|state| state == 'T'), "{threads}");
        host.resume("i-1").unwrap();
    }
    host.end().await;
}

/// The state of each thread of a process, a letter each, as proc(5) has it.
fn threads(process: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let state = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    tasks.filter_map(|task| state(task.ok()?)).collect()
}

#[tokio::test]
async fn pending_and_terminated_instances_get_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(settings(directory.path())).unwrap();
    assert!(
        host.unknown(&[
            instance("i-1", 4, "pending"),
            instance("i-2", 5, "terminated")
        ])
        .is_empty()
    );
}

#[tokio::test]
async fn nothing_is_left_when_the_host_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(settings(directory.path())).unwrap();
    host.launch(&instance("i-1", 4, "running"), &sleeper())
        .unwrap();
    drop(host);
    until(
        "the process to be gone",
        Duration::from_secs(10),
        || async {
            let left = crate::warden::marked(directory.path());
            Ok(if left.is_empty() {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{left:?}"))
            })
        },
    )
    .await
    .unwrap();
}

#[test]
fn user_data_chooses_the_program() {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ServerProgram::of_user_data(""),
        ServerProgram::Tunnel(Vec::new())
    );
    assert_eq!(
        ServerProgram::of_user_data("--idle-after 5s\n"),
        ServerProgram::Tunnel(words(&["--idle-after", "5s"]))
    );
    assert_eq!(
        ServerProgram::of_user_data("stand-in --health 503"),
        ServerProgram::never_healthy()
    );
}

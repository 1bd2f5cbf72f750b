//! An agent as a process of its own, which ends or stops itself at a step that the test names; and a server as one.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;

use ebbtide_agent::serve::Agent as Serving;
use ebbtide_agent::split;
use rustix::process::{Pid, Signal, getpid, getppid, kill_process};
use serde_json::{Value, json};

use crate::world::{Echo, PATIENCE, runtime, until};

/// Where the session endpoint is. Every test has a network of its own; no client is ever given this port.
pub(crate) const ENDPOINT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
/// Where a server listens that is a process.
pub(crate) const SERVED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1883);
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";
const CONFIG: &str = "EBBTIDE_TEST_CONFIG";
const STEPS: &str = "EBBTIDE_TEST_STEPS";
const LISTENER: &str = "EBBTIDE_TEST_LISTENER";
const SERVER: &str = "EBBTIDE_TEST_SERVER";

/// A running agent, both its processes; killed when it is dropped.
pub(crate) struct Agent {
    helper: Child,
    /// Where the listening process says its number.
    listener: PathBuf,
}

impl Agent {
    /// An agent before these ports, with its state in this directory. `steps` is a list such as `looked:1:stop,sealed:2:kill`:
    /// what a process of it does to itself at which occurrence of a step, or, with `kill the other`, to the other process.
    pub(crate) fn start(ports: &[u16], directory: &Path, steps: &str) -> Self {
        Self::configured(ports, directory, steps, "")
    }

    /// The same, with some lines of configuration more.
    pub(crate) fn configured(ports: &[u16], directory: &Path, steps: &str, more: &str) -> Self {
        let config = directory.join("agent.toml");
        let state = directory.join("state.json");
        std::fs::write(
            &config,
            format!("ports = {ports:?}\nlisten = '{ENDPOINT}'\ninstance = '{INSTANCE}'\nstateFile = {state:?}\n{more}\n"),
        )
        .unwrap();
        let listener = directory.join("listener.pid");
        let _ = std::fs::remove_file(&listener);
        let helper = itself("agent::helper_process")
            .env(CONFIG, config)
            .env(STEPS, steps)
            .env(LISTENER, &listener)
            .spawn()
            .unwrap();
        Self { helper, listener }
    }

    /// Asks, and gives status and body; waits for an agent that starts. None if it ends instead.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let begun = std::time::Instant::now();
        loop {
            match call(method, path, body) {
                Ok(answer) => return Some(answer),
                Err(_) if self.helper.try_wait().unwrap().is_some() => return None,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{method} {path}: {error}"),
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    pub(crate) fn report_once(&mut self) -> (u16, Value) {
        self.ask("GET", "/sessions", &Value::Null)
            .expect("the agent runs")
    }

    /// Its report; a busy machine may be Unknown for a moment.
    pub(crate) fn report(&mut self) -> (u16, Value) {
        let mut report = self.report_once();
        until("the agent can tell", || {
            report.0 != 500 || {
                report = self.report_once();
                false
            }
        });
        report
    }

    /// Orders, as Ebbtide does: again, while the answer is 500. None if the agent ends instead.
    pub(crate) fn order(&mut self, what: &str, epoch: u64) -> Option<(u16, Value)> {
        let mut answer = self.order_once(what, epoch);
        until("the order is answered", || {
            answer.as_ref().is_none_or(|(status, _)| *status != 500) || {
                answer = self.order_once(what, epoch);
                false
            }
        });
        answer
    }

    pub(crate) fn order_once(&mut self, what: &str, epoch: u64) -> Option<(u16, Value)> {
        let body = json!({
            "instance": INSTANCE, "deployment": "spring", "epoch": epoch, "perSecond": 50, "leaseSeconds": 3600,
        });
        self.ask("POST", &format!("/sessions/{what}"), &body)
    }

    /// Gives an order without waiting for its end.
    pub(crate) fn begin(&self, what: &str, epoch: u64) {
        let path = format!("/sessions/{what}");
        let body = json!({ "instance": INSTANCE, "deployment": "spring", "epoch": epoch });
        std::thread::spawn(move || call("POST", &path, &body));
    }

    pub(crate) fn helper(&self) -> Pid {
        Pid::from_child(&self.helper)
    }

    /// The listening process, once it has begun.
    fn listener(&self) -> Option<Pid> {
        number_in(&self.listener)
    }

    /// Waits until the listening process has stopped itself.
    pub(crate) fn stopped(&self) {
        until("the agent stops itself", || self.is_stopped());
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.listener().is_some_and(is_stopped)
    }

    /// Lets it go on; when this returns it runs, or has stopped itself at a later step.
    pub(crate) fn go_on(&self) {
        kill_process(self.listener().unwrap(), Signal::CONT).unwrap();
    }

    /// Waits until one of its processes was killed, and the other has ended of that.
    pub(crate) fn ended(&mut self) {
        let mut status = None;
        until("the helper ends", || {
            status = self.helper.try_wait().unwrap();
            status.is_some()
        });
        assert!(!status.unwrap().success());
        self.listener_ends();
    }

    /// With all its threads: the last one gives its port back.
    fn listener_ends(&self) {
        until("the listening process ends", || {
            self.listener().is_none_or(has_ended) && TcpListener::bind(ENDPOINT).is_ok()
        });
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
        if !std::thread::panicking() {
            self.listener_ends();
        } else if let Some(listener) = self.listener() {
            let _ = kill_process(listener, Signal::KILL);
        }
    }
}

fn number_in(file: &Path) -> Option<Pid> {
    let number = std::fs::read_to_string(file).ok()?.parse().ok()?;
    Pid::from_raw(number)
}

fn itself(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

pub(crate) fn is_stopped(pid: Pid) -> bool {
    state(pid) == Some('T')
}

pub(crate) fn has_ended(pid: Pid) -> bool {
    state(pid).is_none()
}

/// The state of a process; None if it has ended.
fn state(pid: Pid) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).ok()?;
    let state = status.split_once("State:\t")?.1.chars().next()?;
    (!"ZX".contains(state)).then_some(state)
}

/// One call of HTTP/1.1.
fn call(method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
    let mut connection = TcpStream::connect(ENDPOINT)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {ENDPOINT}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_else(|_| body.into());
    status
        .map(|status| (status, body))
        .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

static PLAN: Mutex<Vec<(String, u32, String)>> = Mutex::new(Vec::new());

fn at_step(step: &str) {
    let mut plan = PLAN.lock().unwrap();
    let mut due = None;
    for (planned, left, what) in plan.iter_mut().filter(|(planned, ..)| planned == step) {
        *left = left.wrapping_sub(1);
        if *left == 0 {
            due = Some((planned.clone(), what.clone()));
        }
    }
    drop(plan);
    match due.as_ref().map(|(_, what)| what.as_str()) {
        None => {}
        Some("kill") => kill_process(getpid(), Signal::KILL).unwrap(),
        Some("stop") => stop_here(),
        Some("kill the other") => kill_the_other(),
        Some(other) => panic!("{other}"),
    }
}

/// Another thread may take the signal: this one goes no further until the whole process stops.
fn stop_here() {
    kill_process(getpid(), Signal::STOP).unwrap();
    let is_pending = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let pending = status.split_once("ShdPnd:\t").unwrap().1;
        let pending = u64::from_str_radix(pending.lines().next().unwrap(), 16).unwrap();
        pending & (1 << (Signal::STOP.as_raw() - 1)) != 0
    };
    while is_pending() {}
}

/// The helper goes on with what it was told; the listening process is not given the time.
fn kill_the_other() {
    let listener = number_in(std::env::var_os(LISTENER).unwrap().as_ref()).unwrap();
    if listener != getpid() {
        return kill_process(listener, Signal::KILL).unwrap();
    }
    kill_process(getppid().unwrap(), Signal::KILL).unwrap();
    loop {
        std::thread::park();
    }
}

fn follow_the_plan() {
    for planned in std::env::var(STEPS)
        .unwrap()
        .split(',')
        .filter(|planned| !planned.is_empty())
    {
        let parts: Vec<&str> = planned.split(':').collect();
        let mut plan = PLAN.lock().unwrap();
        plan.push((parts[0].into(), parts[1].parse().unwrap(), parts[2].into()));
    }
    ebbtide_agent::steps::watch(at_step);
}

#[test]
#[ignore = "is the process that other tests start"]
fn helper_process() {
    let Some(config) = std::env::var_os(CONFIG) else {
        return;
    };
    follow_the_plan();
    let code = split::helper(Path::new(&config), itself("agent::listener_process")).unwrap();
    if code != ExitCode::SUCCESS {
        std::process::exit(1);
    }
}

#[test]
#[ignore = "is the process that the helper starts"]
fn listener_process() {
    let Some(file) = std::env::var_os(LISTENER) else {
        return;
    };
    std::fs::write(file, getpid().as_raw_pid().to_string()).unwrap();
    follow_the_plan();
    let (config, orders) = split::listener().unwrap();
    runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind(config.listen).await.unwrap();
        let agent = Serving::start(config, orders).await.unwrap();
        agent.serve(listener, std::future::pending()).await.unwrap();
    });
}

/// A server as a process, at this address.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start() -> Self {
        let address = SERVED;
        let server = Self(
            itself("agent::server_process")
                .env(SERVER, address.to_string())
                .spawn()
                .unwrap(),
        );
        until("the server listens", || TcpStream::connect(address).is_ok());
        server
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "is the process that other tests start"]
fn server_process() {
    let Ok(address) = std::env::var(SERVER) else {
        return;
    };
    let _echo = Echo::listen(&address);
    loop {
        std::thread::park();
    }
}

//! Programs as Debian ships them, in a directory of their own; they end when this is dropped, and when the test dies.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// What has to be installed.
const PACKAGES: &str = "mosquitto nginx-light libnginx-mod-stream redis-server";

pub(crate) struct Programs {
    directory: tempfile::TempDir,
    running: Vec<Child>,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            running: Vec::new(),
        }
    }
}

impl Programs {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&mut self, program: &str, options: &[&str], configuration: &str) {
        let file = self.file(&format!("{program}.conf"));
        std::fs::write(&file, configuration).unwrap();
        let log = std::fs::File::create(self.file(&format!("{program}.log"))).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{path}:/usr/sbin:/sbin");
        let installed = |directory: &str| PathBuf::from(directory).join(program).exists();
        assert!(
            path.split(':').any(installed),
            "{program} is missing: apt-get install {PACKAGES}"
        );
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", program])
            .args(options)
            .arg(file)
            .env("PATH", path)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running.push(child);
    }

    /// It keeps all that its subscriber has not acknowledged, however much.
    pub(crate) fn mosquitto(&mut self, listeners: &[SocketAddr]) {
        let mut configuration: String =
            "user root\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
                .into();
        for listener in listeners {
            configuration += &format!("listener {} {}\n", listener.port(), listener.ip());
        }
        self.start("mosquitto", &["-c"], &configuration);
    }

    pub(crate) fn nginx(&mut self, served: SocketAddr, proxied: SocketAddr) {
        let configuration = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes 2;
pid nginx.pid;
error_log nginx.errors;
events {{ worker_connections 4096; }}
stream {{ server {{ listen {served} reuseport; proxy_pass {proxied}; proxy_timeout 1h; }} }}
"
        );
        let prefix = self.directory.path().display().to_string();
        self.start("nginx", &["-p", &prefix, "-c"], &configuration);
    }

    pub(crate) fn redis(&mut self, served: SocketAddr) {
        let (ip, port, socket) = (served.ip(), served.port(), self.socket());
        let configuration = format!(
            "bind {ip}\nport {port}\nunixsocket {}\nsave \"\"\n",
            socket.display()
        );
        self.start("redis-server", &[], &configuration);
    }

    /// Where redis is reached past the agent.
    pub(crate) fn socket(&self) -> PathBuf {
        self.file("redis.socket")
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

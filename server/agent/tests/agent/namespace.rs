//! A network namespace for a test: the test's own program again, below `unshare`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

const INSIDE: &str = "EBBTIDE_INSIDE";

/// Runs `body` in a network namespace of its own; `test` is the test's path. Where that is forbidden the test fails.
pub(crate) fn run(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        prepare();
        return body();
    }
    let test = test.split_once("::").expect("a path within a crate").1;
    let flags = if rustix::process::geteuid().is_root() {
        "-n"
    } else {
        "-Urn"
    };
    let mut inside = Command::new("unshare");
    inside
        .args([flags, "--fork", "--kill-child"])
        .arg(std::env::current_exe().unwrap());
    inside
        .args(["--exact", test, "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut inside = inside.spawn().expect("unshare runs (package util-linux)");
    let mut said = String::new();
    // What a test prints is evidence, and with `--nocapture` shows how far it is.
    for line in BufReader::new(inside.stderr.take().unwrap()).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        eprintln!("{line}");
        said += &format!("{line}\n");
    }
    let output = inside.wait_with_output().unwrap();
    said += &String::from_utf8_lossy(&output.stdout);
    assert!(
        !said.contains("unshare: unshare failed"),
        "this test needs a network namespace of its own, and this machine forbids it: run it as root, or allow user namespaces\n{said}"
    );
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn prepare() {
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.expect("ip runs (apt-get install iproute2)").success());
    let nft = Command::new("nft")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    assert!(
        nft.is_ok_and(|nft| nft.success()),
        "nft is missing: apt-get install nftables"
    );
}

/// A test in a namespace of its own.
macro_rules! alone {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            crate::namespace::run(concat!(module_path!(), "::", stringify!($name)), || $body);
        }
    };
}
pub(crate) use alone;

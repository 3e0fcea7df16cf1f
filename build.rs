//! Tells the server which toolchain built it: INFO and /varz name it where upstream names Go's.

// A build script is not the server: it has no other way to ask.
#![allow(clippy::disallowed_methods)]

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|out| String::from_utf8(out.stdout).ok())
        .and_then(|text| text.split_whitespace().nth(1).map(str::to_owned))
        .unwrap_or_default();
    println!("cargo::rustc-env=NATS_SERVER_RUSTC={version}");
    println!("cargo::rerun-if-changed=build.rs");
}

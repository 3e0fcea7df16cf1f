//! Tells the server which toolchain and commit built it: INFO and /varz name the one where
//! upstream names Go's, the other where upstream names its own.

// A build script is not the server: it has no other way to ask.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
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
    // A build to work with need not be made anew for every commit.
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if is_release && let Some(commit) = commit(Path::new(".git")) {
        println!("cargo::rustc-env=NATS_SERVER_GIT_COMMIT={commit}");
    }
}

/// The commit that is checked out, in the seven letters people use, read without git's help.
fn commit(git: &Path) -> Option<String> {
    let dir = match std::fs::read_to_string(git) {
        // A work tree beside the main one has its own folder elsewhere.
        Ok(link) => PathBuf::from(link.strip_prefix("gitdir:")?.trim()),
        Err(_) => git.to_owned(),
    };
    let common = match std::fs::read_to_string(dir.join("commondir")) {
        Ok(common) => dir.join(common.trim()),
        Err(_) => dir.clone(),
    };
    let head = read(&dir.join("HEAD"))?;
    let hash = match head.strip_prefix("ref:").map(str::trim) {
        None => head,
        Some(name) => read(&common.join(name)).or_else(|| packed(&common, name))?,
    };
    let short = hash.trim().get(..7)?;
    short.bytes().all(|b| b.is_ascii_hexdigit()).then(|| short.to_owned())
}

/// Reads a file, and has the script run again when it changes.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text)
}

/// The hash of a reference that has no file of its own.
fn packed(common: &Path, name: &str) -> Option<String> {
    let refs = read(&common.join("packed-refs"))?;
    refs.lines().find_map(|line| line.strip_suffix(name)?.split(' ').next().map(str::to_owned))
}

//! Targets end to end, on simulated machines.

use super::*;
use std::collections::BTreeMap;
use std::path::Path;

const LOG: &str = "/var/log/nats.log";

fn machine() -> Env {
    let env = Env::simulated(1);
    env.fs().create_dir_all(Path::new("/var/log")).unwrap();
    env
}

fn file_options(size_limit: u64, max_files: usize) -> LogOptions {
    LogOptions {
        target: Target::File { path: LOG.into(), size_limit, max_files },
        time: false,
        pid: false,
        ..Default::default()
    }
}

fn content(env: &Env, path: &str) -> String {
    env.fs().read_to_string(Path::new(path)).unwrap()
}

fn names(env: &Env) -> Vec<String> {
    let dir = env.fs().read_dir(Path::new("/var/log")).unwrap();
    dir.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_have_upstream_form() {
    let env = machine();
    let lines = Captured::default();
    let options = LogOptions { target: Target::Capture(lines.clone()), ..Default::default() };
    let log = Logger::new(&env, &options).unwrap();
    log.info(format_args!("hello {}", 1));
    log.debug(format_args!("not on"));
    log.set_debug(true);
    log.debug(format_args!("on"));
    assert_eq!(
        lines.output(),
        "[1] 2026/01/01 00:00:00.000000 [INF] hello 1\n[1] 2026/01/01 00:00:00.000000 [DBG] on\n"
    );
}

#[tokio::test(start_paused = true)]
async fn local_time_comes_from_the_machine() {
    let zoneinfo = "/usr/share/zoneinfo/Asia/Kolkata";
    let Ok(data) = Env::os().fs().read(Path::new(zoneinfo)) else { return };
    let vars = BTreeMap::from([("TZ".to_owned(), "Asia/Kolkata".to_owned())]);
    let env = Env::simulated_with_vars(1, vars);
    assert_eq!(Zone::local(&env).civil(env.clock().wall_ns()).hour, 0, "no such file: UTC");
    env.fs().create_dir_all(Path::new("/usr/share/zoneinfo/Asia")).unwrap();
    env.fs().write(Path::new(zoneinfo), &data, 0).unwrap();
    let t = Zone::local(&env).civil(env.clock().wall_ns());
    assert_eq!((t.day, t.hour, t.minute, t.offset_s), (1, 5, 30, 19_800));
}

#[tokio::test(start_paused = true)]
async fn rotation_renames_notes_and_prunes() {
    let env = machine();
    env.fs().write(Path::new("/var/log/nats.log.keep"), b"not ours", 0).unwrap();
    let log = Logger::new(&env, &file_options(100, 3)).unwrap();
    for i in 0..5 {
        log.info(format_args!("{i} {}", "x".repeat(100)));
        env.clock().sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(
        names(&env),
        [
            "nats.log",
            "nats.log.2026.01.01.00.00.03.000000000",
            "nats.log.2026.01.01.00.00.04.000000000",
            "nats.log.keep",
        ]
    );
    let now = content(&env, LOG);
    assert!(now.contains(
        "[INF] Rotated log, backup saved as \"/var/log/nats.log.2026.01.01.00.00.04.000000000\"\r\n"
    ));
    assert!(now.contains("[INF] Purged log file \"nats.log.2026.01.01.00.00.02.000000000\"\r\n"));
    assert_eq!(log.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_fails_keeps_the_lines() {
    let env = machine();
    let taken = "/var/log/nats.log.2026.01.01.00.00.00.000000000";
    env.fs().create_dir_all(Path::new(taken)).unwrap();
    let log = Logger::new(&env, &file_options(100, 0)).unwrap();
    log.info(format_args!("{}", "x".repeat(100)));
    assert!(content(&env, LOG).contains(
        "[ERR] Unable to rotate logfile (is a directory), will attempt next rotation at size 200"
    ));
    env.clock().sleep(std::time::Duration::from_secs(1)).await;
    log.info(format_args!("{}", "y".repeat(100)));
    assert!(content(&env, LOG).contains("Rotated log"));
    let backup = content(&env, "/var/log/nats.log.2026.01.01.00.00.01.000000000");
    assert!(backup.contains("xxx") && backup.contains("yyy"));
}

#[tokio::test(start_paused = true)]
async fn reopen_follows_the_path() {
    let env = machine();
    let log = Logger::new(&env, &file_options(0, 0)).unwrap();
    log.info(format_args!("one"));
    env.fs().rename(Path::new(LOG), Path::new("/var/log/moved")).unwrap();
    log.info(format_args!("two"));
    log.reopen();
    assert_eq!(content(&env, "/var/log/moved"), "[INF] one\n[INF] two\n");
    assert_eq!(content(&env, LOG), "[INF] File log re-opened\n");
}

#[tokio::test(start_paused = true)]
async fn a_bad_target_changes_nothing() {
    let env = machine();
    let (log, lines) = Logger::captured(&env);
    env.fs().create_dir_all(Path::new(LOG)).unwrap();
    let error = log.reconfigure(&file_options(0, 0)).unwrap_err();
    assert_eq!(error.to_string(), "error opening file: open /var/log/nats.log: is a directory");
    log.reopen();
    assert!(lines.contains(Level::Info, "File log re-open ignored, not a file logger"));
    let remote =
        LogOptions { target: Target::RemoteSyslog("http://x".to_owned()), ..Default::default() };
    let error = log.reconfigure(&remote).unwrap_err();
    assert_eq!(error.to_string(), "error invalid network type: \"http\"");
}

#[tokio::test(start_paused = true)]
async fn captured_lines_can_be_awaited() {
    let env = machine();
    let (log, lines) = Logger::captured(&env);
    let waiting = lines.wait_for("ready");
    let (found, ()) = tokio::join!(waiting, async {
        log.trace(format_args!("not yet"));
        tokio::task::yield_now().await;
        log.warn(format_args!("Server is ready"));
    });
    assert_eq!(found, "Server is ready");
}

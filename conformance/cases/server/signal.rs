//! Signals, and `--signal` which sends them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::json;

use crate::Cx;
use crate::kit::{Exit, PATIENCE, Server, eventually};

crate::cases! {
    "server/signal_test.go",
    wire usr1_reopens_the_log => ["TestSignalToReOpenLogFile"],
    wire hup_reloads_as_often_as_it_comes => ["TestSignalToReloadConfig"],
    wire no_process_is_found => ["TestProcessSignalNoProcesses"],
    wire several_processes_are_found => ["TestProcessSignalMultipleProcesses"],
    wire all_that_are_found => ["TestProcessSignalMultipleProcessesGlob"],
    wire all_whose_number_begins_so => ["TestProcessSignalMultipleProcessesGlobPartial"],
    wire there_is_no_pgrep => ["TestProcessSignalPgrepError"],
    wire pgrep_says_something_else => ["TestProcessSignalPgrepMangled"],
    wire the_only_process_that_is_found => ["TestProcessSignalResolveSingleProcess"],
    wire a_command_that_is_none => ["TestProcessSignalInvalidCommand"],
    wire a_process_that_is_none => ["TestProcessSignalInvalidPid"],
    wire quit_interrupts => ["TestProcessSignalQuitProcess"],
    wire term_terminates => ["TestProcessSignalTermProcess"],
    wire stop_kills => ["TestProcessSignalResolveSingleProcess"],
    wire reopen_reopens_the_log => ["TestProcessSignalReopenProcess"],
    wire reload_reloads => ["TestProcessSignalReloadProcess"],
    wire ldm_enters_lame_duck_mode => ["TestProcessSignalLameDuckMode"],
    wire term_does_not_hurry_lame_duck_mode => ["TestProcessSignalTermDuringLameDuckMode"],
    wire an_interrupt_is_a_good_end => ["TestSignalInterruptHasSuccessfulExit"],
    wire a_termination_is_a_good_end => ["TestSignalTermHasSuccessfulExit"],
}

// --- what a server does

async fn usr1_reopens_the_log(cx: Cx) {
    crate::exercises!("signals", "SIGUSR1");
    let server = cx.server("log_file: '{dir}/test.log'").await;
    let (path, moved) = (cx.dir().join("test.log"), cx.dir().join("test.log.bak"));
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    assert!(read(&path).contains("Server is ready"));
    std::fs::rename(&path, &moved).unwrap();
    server.signal(Signal::USR1);
    eventually(PATIENCE, async || read(&path).contains("[INF] File log re-opened")).await;
    // The old file has the signal, the new one all that comes after.
    assert!(read(&moved).contains("Trapped \"user defined signal 1\" signal"));
    assert!(!read(&moved).contains("re-opened"));
    assert!(!read(&path).contains("Server is ready"));
    // Without a file there is nothing to reopen.
    let other = cx.server("").await;
    other.signal(Signal::USR1);
    other.log_line("[INF] File log re-open ignored, not a file logger").await;
}

async fn hup_reloads_as_often_as_it_comes(cx: Cx) {
    crate::exercises!("signals", "SIGHUP");
    let config = |user: &str| {
        format!("accounts: {{ A: {{ users: [ {{ user: {user}, password: foo }} ] }} }}")
    };
    let server = cx.server(&config("foo")).await;
    server.allow_errors("authentication error");
    let loaded = async || server.varz().await["config_load_time"].as_str().unwrap().to_owned();
    let mut before = loaded().await;
    // A file that did not change is loaded all the same.
    for user in ["foo", "foo0", "foo1"] {
        server.reload(&config(user)).await;
        let now = loaded().await;
        assert!(now > before, "{now} after {before}");
        before = now;
        let mut c = server.raw().await;
        c.connect(json!({"verbose": false, "user": user, "pass": "foo"})).await;
        c.flush().await;
    }
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "user": "foo", "pass": "foo"})).await;
    c.expect_err("Authorization Violation").await;
    let log = server.log();
    assert_eq!(log.matches("Trapped \"hangup\" signal").count(), 3, "{log}");
    assert_eq!(log.matches("Reloaded server configuration (sha256:").count(), 3, "{log}");
}

async fn term_does_not_hurry_lame_duck_mode(cx: Cx) {
    let config = "lame_duck_grace_period: '1s', lame_duck_duration: '30s'";
    let mut server = cx.server(config).await;
    let mut c = server.raw_connected().await;
    c.flush().await;
    server.signal(Signal::USR2);
    server.log_line("Entering lame duck mode").await;
    server.signal(Signal::TERM);
    server.log_line("Trapped \"terminated\" signal").await;
    c.flush().await;
    assert!(!server.log().contains("Closing existing clients"));
    c.read_to_close().await;
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("Closing existing clients"));
}

async fn an_interrupt_is_a_good_end(cx: Cx) {
    crate::exercises!("signals", "SIGINT");
    let mut server = cx.server("").await;
    server.signal(Signal::INT);
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("Trapped \"interrupt\" signal"));
}

async fn a_termination_is_a_good_end(cx: Cx) {
    crate::exercises!("signals", "SIGTERM");
    let mut server = cx.server("").await;
    assert_eq!(server.stop().await, Some(0));
    assert!(server.log().contains("Trapped \"terminated\" signal"));
}

// --- what `--signal` sends, and to whom

/// Runs `--signal` where `pgrep` is a script of the case's own, or missing.
async fn signal(cx: &Cx, request: &str, pgrep: Option<&str>) -> Exit {
    let folder = cx.dir().join("path");
    std::fs::create_dir_all(&folder).unwrap();
    if let Some(script) = pgrep {
        let path = cx.file("path/pgrep", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = folder.to_string_lossy();
    cx.launch().env("PATH", &path).args(&["--signal", request]).run().await
}

/// A `pgrep` that finds these servers.
fn finds(servers: &[&Server]) -> String {
    servers.iter().map(|server| format!("echo {}\n", server.pid())).collect()
}

#[track_caller]
fn assert_refused(exit: &Exit, said: &str) {
    assert_eq!(
        (exit.code, exit.stderr.as_str()),
        (Some(1), format!("nats-server: {said}\n").as_str())
    );
}

#[track_caller]
fn assert_sent(exit: &Exit) {
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
}

async fn no_process_is_found(cx: Cx) {
    for request in ["stop", "stop=*", "stop=12*", "stop="] {
        let exit = signal(&cx, request, Some("exit 1")).await;
        assert_refused(&exit, "no nats-server processes running");
    }
}

async fn several_processes_are_found(cx: Cx) {
    let exit = signal(&cx, "stop", Some("echo 123\necho 456")).await;
    assert_refused(&exit, "multiple nats-server processes running:\n123\n456");
}

async fn all_that_are_found(cx: Cx) {
    let (mut a, mut b) = (cx.server("").await, cx.server("").await);
    assert_sent(&signal(&cx, "quit=*", Some(&finds(&[&a, &b]))).await);
    assert_eq!((a.ended().await, b.ended().await), (Some(0), Some(0)));
    assert!(a.log().contains("Trapped \"interrupt\"") && b.log().contains("Trapped \"interrupt\""));
    // All of them are tried, whatever becomes of the first.
    let exit = signal(&cx, "reopen=*", Some("echo 99999998\necho 99999999")).await;
    let each = |pid| format!("\nsignal \"reopen\" {pid}: no such process");
    assert_refused(&exit, &format!("{}{}", each(99999998), each(99999999)));
}

async fn all_whose_number_begins_so(cx: Cx) {
    let (mut a, mut b) = (cx.server("").await, cx.server("").await);
    let found = finds(&[&a, &b]);
    assert_sent(&signal(&cx, &format!("quit={}*", a.pid()), Some(&found)).await);
    assert_eq!(a.ended().await, Some(0));
    b.raw_connected().await.flush().await;
    // None of that name is not an error.
    assert_sent(&signal(&cx, "quit=999999999*", Some(&found)).await);
    assert_eq!(b.stop().await, Some(0));
    assert!(!b.log().contains("interrupt"));
}

async fn there_is_no_pgrep(cx: Cx) {
    let exit = signal(&cx, "stop", None).await;
    assert_refused(&exit, "unable to resolve pid, try providing one");
}

async fn pgrep_says_something_else(cx: Cx) {
    let exit = signal(&cx, "stop", Some("echo 12x")).await;
    assert_refused(&exit, "unable to resolve pid, try providing one");
}

async fn the_only_process_that_is_found(cx: Cx) {
    crate::exercises!("cli_flags", "-sl --signal");
    let mut server = cx.server("").await;
    assert_sent(&signal(&cx, "term", Some(&finds(&[&server]))).await);
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("Trapped \"terminated\" signal"));
}

async fn a_command_that_is_none(cx: Cx) {
    crate::exercises!("signals", "--signal <other>");
    assert_refused(&signal(&cx, "invalid=123", None).await, "unknown signal \"invalid\"");
    // Who it is for is looked at first.
    let exit = signal(&cx, "invalid", Some("exit 1")).await;
    assert_refused(&exit, "no nats-server processes running");
}

async fn a_process_that_is_none(cx: Cx) {
    crate::exercises!("signals", "--signal <cmd>=x", "--signal <cmd>=<a>=<b>");
    assert_refused(&signal(&cx, "stop=abc", None).await, "invalid pid: abc");
    assert_refused(&signal(&cx, "stop=1x*", None).await, "invalid pid: 1x");
    let exit = signal(&cx, "stop=1=2", None).await;
    assert_refused(&exit, "invalid signal parameters: [2]");
    let exit = signal(&cx, "stop=99999999", None).await;
    assert_refused(&exit, "\nsignal \"stop\" 99999999: no such process");
}

/// Sends a command to a server by its process id.
async fn command(cx: &Cx, name: &str, server: &Server) {
    assert_sent(&signal(cx, &format!("{name}={}", server.pid()), None).await);
}

async fn quit_interrupts(cx: Cx) {
    crate::exercises!("signals", "--signal quit");
    let mut server = cx.server("").await;
    command(&cx, "quit", &server).await;
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("Trapped \"interrupt\" signal"));
}

async fn term_terminates(cx: Cx) {
    crate::exercises!("signals", "--signal term", "--signal <cmd>=<pid>");
    // The process may be named by the file that holds its id.
    let mut server = cx.server("pid_file: '{dir}/pid'").await;
    let file = cx.dir().join("pid");
    assert_sent(&signal(&cx, &format!("term={}", file.display()), None).await);
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("Trapped \"terminated\" signal"));
}

async fn stop_kills(cx: Cx) {
    crate::exercises!("signals", "--signal stop");
    let mut server = cx.server("").await;
    command(&cx, "stop", &server).await;
    assert_eq!(server.ended().await, None);
    assert!(!server.log().contains("Trapped"));
}

async fn reopen_reopens_the_log(cx: Cx) {
    crate::exercises!("signals", "--signal reopen");
    let server = cx.server("").await;
    command(&cx, "reopen", &server).await;
    server.log_line("Trapped \"user defined signal 1\" signal").await;
    server.log_line("File log re-open ignored, not a file logger").await;
}

async fn reload_reloads(cx: Cx) {
    crate::exercises!("signals", "--signal reload");
    let server = cx.server("").await;
    command(&cx, "reload", &server).await;
    server.log_line("Trapped \"hangup\" signal").await;
    server.log_line("Reloaded server configuration").await;
    // Without a file there is nothing to read again.
    let other = cx.server_args(&["-a", "127.0.0.1", "-p", "-1"]).await;
    other.allow_errors("Failed to reload");
    command(&cx, "reload", &other).await;
    let why = "can only reload config when a file is provided using -c or --config";
    other.log_line(&format!("Failed to reload server configuration: {why}")).await;
}

async fn ldm_enters_lame_duck_mode(cx: Cx) {
    crate::exercises!("signals", "--signal ldm");
    let mut server = cx.server("lame_duck_grace_period: '1ms'").await;
    let mut c = server.raw_connected().await;
    c.flush().await;
    command(&cx, "ldm", &server).await;
    server.log_line("Trapped \"user defined signal 2\" signal").await;
    c.expect_closed().await;
    assert_eq!(server.ended().await, Some(0));
}

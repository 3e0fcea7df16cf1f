//! From a command line and a configuration to a server, or to the reason why not.

use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};

use crate::Cx;
use crate::kit::{Exit, PATIENCE, Server, free_port};

crate::cases! {
    "server/server_test.go",
    wire the_version_is_semantic => ["TestSemanticVersion"],
    wire commands_beside_flags => ["TestProcessCommandLineArgs"],
    wire a_start_leaves_nothing_behind => ["TestStartupAndShutdown"],
    wire a_host_that_is_none => ["TestNoDeadlockOnStartFailure"],
    wire what_fails_after_the_log_is_open_is_its_last_line => ["TestNoDeadlockOnStartFailure"],
    wire what_fails_before_the_log_is_open_is_printed => ["TestNoDeadlockOnStartFailure"],
    wire a_ports_file_that_cannot_be_written => ["TestNoDeadlockOnStartFailure"],
    wire an_advertised_address_that_is_none => ["TestClientAdvertiseErrorOnStartup"],
    wire the_grace_period_is_within_lame_duck_mode => ["TestLameDuckOptionsValidation"],
    wire gateways_are_complete => ["TestServerValidateGatewaysOptions"],
    wire names_have_no_spaces => ["TestServerClusterAndGatewayNameNoSpace"],
    wire a_signal_while_starting => ["TestServerShutdownDuringStart"],
    wire ports_the_system_chose => ["TestRandomPorts"],
    wire no_monitoring_unless_asked_for => ["TestNilMonitoringPort"],
    wire the_configuration_file_is_in_the_log => ["TestServerLogsConfigurationFile"],
    wire a_comment_on_the_last_line => ["TestServerConfigLastLineComments"],
    wire users_of_the_system_account_do_not_open_the_door => ["TestServerAuthBlockAndSysAccounts"],
    not_applicable "TestVersionMatchesTag" => "compares a constant with the tag in the environment of upstream's CI job, and is skipped wherever that is not set",
    not_applicable "TestStartProfiler" => "starts the profiler of Go's runtime; there is none here, and prof_port is refused at start",
    not_applicable "TestProfilingNoTimeout" => "reads the time limits of the HTTP server of Go's profiler; there is none here, and prof_port is refused at start",
    not_applicable "TestCustomClientAuthentication" => "passes a Go object to Go's embedding API; no option or protocol reaches it",
    not_applicable "TestCustomRouterAuthentication" => "passes a Go object to Go's embedding API; no option or protocol reaches it",
    not_applicable "TestServerClientURL" => "tests a method of Go's embedding API that joins two options to a text; nothing the server says or does shows it",
    not_applicable "TestServerJsonMarshalNestedStructsPanic" => "guards Go's build against a JSON library with a defect; no server takes part",
}

async fn the_version_is_semantic(cx: Cx) {
    let semantic = Regex::new(r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$").unwrap();
    let exit = cx.run(&["--version"]).await;
    assert_eq!(exit.code, Some(0));
    let first = exit.stdout.lines().next().unwrap_or_default();
    let printed = first.strip_prefix("nats-server: v").expect("the version on the first line");
    assert!(semantic.is_match(printed), "{printed}");
    let server = cx.server("").await;
    assert_eq!(server.raw().await.info().await["version"], printed);
    assert!(server.log().contains(&format!("  Version:  {printed}\n")), "{}", server.log());
}

async fn commands_beside_flags(cx: Cx) {
    let server = cx.server_args(&["-a", "127.0.0.1", "-p", "-1"]).await;
    assert!(server.log().contains("Listening for client connections on 127.0.0.1:"));
    for args in [&["version"][..], &["-a", "127.0.0.1", "VERSION"]] {
        let exit = cx.run(args).await;
        assert_eq!(exit.code, Some(0), "{args:?}");
        assert!(exit.stdout.starts_with("nats-server: v"), "{args:?}: {}", exit.stdout);
    }
    let exit = cx.run(&["help"]).await;
    assert_eq!(exit.code, Some(0));
    assert!(exit.stdout.contains("Usage: nats-server [options]"), "{}", exit.stdout);
    let exit = cx.run(&["foo", "-p", "9090"]).await;
    assert_eq!(exit.code, Some(1));
    assert_eq!(exit.stderr, "nats-server: unrecognized command: \"foo\"\n");
}

async fn a_start_leaves_nothing_behind(cx: Cx) {
    crate::exercises!("config_keys", "top|no_system_account");
    let mut server = cx.server("no_sys_acc: true").await;
    let varz = server.varz().await;
    for count in ["connections", "total_connections", "routes", "remotes", "subscriptions"] {
        assert_eq!(varz[count], 0, "{count}");
    }
    assert_eq!(server.stop().await, Some(0));
    let log = server.log();
    let texts: Vec<&str> = log.lines().map(text).collect();
    assert_eq!(texts[0], "[INF] Starting nats-server");
    let ready = texts.iter().position(|line| *line == "[INF] Server is ready");
    assert_eq!(
        &texts[ready.expect("it was ready") + 1..],
        [
            "[INF] Trapped \"terminated\" signal",
            "[INF] Initiating Shutdown...",
            "[INF] Server Exiting.."
        ]
    );
}

/// A line of the log without process id, date and time.
fn text(line: &str) -> &str {
    let label = line.find(" [").filter(|_| line.starts_with('['));
    label.map_or(line, |at| &line[at + 1..])
}

/// The server ended with 1, and this was the last line of its log.
#[track_caller]
fn assert_fatal(exit: &Exit, last: &str) {
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let line = exit.stderr.lines().last().unwrap_or_default();
    assert_eq!(text(line), format!("[FTL] {last}"), "{}", exit.stderr);
}

/// The server ended with 1 before it had a log; this is all it said.
#[track_caller]
fn assert_printed(exit: &Exit, said: &str) {
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), said));
}

async fn a_host_that_is_none(cx: Cx) {
    let exit = cx.run(&["-a", "x.x.x.x", "-p", "4222"]).await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let line = text(exit.stderr.lines().last().unwrap_or_default());
    let start = "[FTL] Error listening on port: x.x.x.x:4222, \"listen tcp: lookup x.x.x.x";
    assert!(line.starts_with(start), "{line}");
    assert!(!exit.stderr.contains("Server is ready"), "{}", exit.stderr);
}

async fn what_fails_after_the_log_is_open_is_its_last_line(cx: Cx) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let exit = cx.run(&["-a", "127.0.0.1", "-p", &port]).await;
    let problem = format!("listen tcp 127.0.0.1:{port}: bind: address already in use");
    assert_fatal(&exit, &format!("Error listening on port: 127.0.0.1:{port}, \"{problem}\""));
    assert!(exit.stderr.contains("[INF] Starting nats-server\n"), "{}", exit.stderr);

    let nowhere = cx.dir().join("nowhere/pid");
    let exit = cx.run(&["-a", "127.0.0.1", "-p", "-1", "-P", "{dir}/nowhere/pid"]).await;
    let problem = format!("open {}: no such file or directory", nowhere.display());
    assert_fatal(&exit, &format!("Could not write pidfile: {problem}"));
    // What is fatal goes where the log goes.
    let log = cx.dir().join("fatal.log");
    let args = ["-a", "127.0.0.1", "-p", &port, "-l", "{dir}/fatal.log"];
    let exit = cx.run(&args).await;
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), ""));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(text(log.lines().last().unwrap()).starts_with("[FTL] Error listening on port"));
}

async fn what_fails_before_the_log_is_open_is_printed(cx: Cx) {
    let exit = cx.run(&["-c", "{dir}/none.conf"]).await;
    let path = cx.dir().join("none.conf");
    let problem = format!("open {}: no such file or directory", path.display());
    assert_printed(&exit, &format!("nats-server: {problem}\n"));
    let dated = |exit: &Exit, said: &str| {
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        let date = Regex::new(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ").unwrap();
        assert!(date.is_match(&exit.stderr), "{}", exit.stderr);
        assert_eq!(date.replace(&exit.stderr, ""), said);
    };
    let exit = cx.run(&["-p", "-1", "-l", "{dir}/nowhere/log"]).await;
    let path = cx.dir().join("nowhere/log");
    let problem = format!("open {}: no such file or directory", path.display());
    dated(&exit, &format!("error opening file: {problem}\n"));
    let exit = cx.run(&["-p", "-1", "-r", "gopher://host"]).await;
    dated(&exit, "error invalid network type: \"gopher\"\n");
}

async fn a_ports_file_that_cannot_be_written(cx: Cx) {
    let port = free_port().to_string();
    let args = ["-a", "127.0.0.1", "-p", &port, "--ports_file_dir", "{dir}/nowhere"];
    // The server runs all the same, so it is ended from outside.
    let mut command = cx.target().command();
    let dir = cx.dir().to_string_lossy().into_owned();
    command.args(args.map(|arg| arg.replace("{dir}", &dir)));
    let log = cx.dir().join("log");
    let child = command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn();
    let mut child = Guard(child.unwrap());
    let read = || std::fs::read_to_string(&log).unwrap();
    until(|| read().contains("Error writing ports file")).await;
    child.terminate();
    until(|| child.0.try_wait().unwrap().is_some()).await;
    let log = read();
    let path = cx.dir().join(format!("nowhere/nats-server_{}.ports", child.0.id()));
    let path = path.display();
    for line in [
        format!("[ERR] Error writing ports file ({path}): open {path}: no such file or directory"),
        format!(
            "[ERR] Error cleaning up ports file {path}: remove {path}: no such file or directory"
        ),
    ] {
        assert!(log.lines().any(|have| text(have) == line), "no {line} in {log}");
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    crate::kit::eventually(PATIENCE, async || condition()).await;
}

/// A process of the case's own.
struct Guard(std::process::Child);

impl Guard {
    fn terminate(&self) {
        let pid = Pid::from_raw(self.0.id() as i32).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn an_advertised_address_that_is_none(cx: Cx) {
    let exit = cx.launch().config("client_advertise: 'addr:::123'").run().await;
    let what = "Error setting server INFO with ClientAdvertise value of addr:::123";
    assert_fatal(&exit, &format!("{what}, err=address addr:::123: too many colons in address"));
}

async fn the_grace_period_is_within_lame_duck_mode(cx: Cx) {
    let config = "lame_duck_grace_period: '40s', lame_duck_duration: '30s'";
    let exit = cx.launch().config(config).run().await;
    let said =
        "lame duck grace period (40s) should be strictly lower than lame duck duration (30s)";
    assert_printed(&exit, &format!("nats-server: {said}\n"));
}

async fn gateways_are_complete(cx: Cx) {
    for (gateway, said) in [
        ("port: -1", "gateway has no name"),
        ("name: A", "gateway \"A\" has no port specified (select -1 for random port)"),
        (
            "name: A, port: -1, gateways: [ { url: nats://host:5222 } ]",
            "gateway in the list 0 has no name",
        ),
        ("name: A, port: -1, gateways: [ { name: B } ]", "gateway \"B\" has no URL"),
        ("name: A, port: -1, gateways: [ { name: B, urls: [] } ]", "gateway \"B\" has no URL"),
    ] {
        let exit = cx.launch().config(&format!("gateway {{ {gateway} }}")).run().await;
        assert_printed(&exit, &format!("nats-server: {said}\n"));
    }
}

async fn names_have_no_spaces(cx: Cx) {
    for (config, said) in [
        ("server_name: 'my server'", "server name cannot contain spaces"),
        ("cluster { port: -1, name: 'my cluster' }", "cluster name cannot contain spaces"),
        ("gateway { port: -1, name: 'my gateway' }", "gateway name cannot contain spaces"),
    ] {
        let exit = cx.check_config(config).await;
        assert_eq!(exit.code, Some(1), "{config}");
        assert!(exit.stderr.contains(said), "{config}: {}", exit.stderr);
    }
    let exit = cx.run(&["-p", "-1", "--name", "my server"]).await;
    assert_printed(&exit, "nats-server: server name cannot contain spaces\n");
}

/// Whenever the signal comes, the process ends and nothing listens.
async fn a_signal_while_starting(cx: Cx) {
    let port = free_port();
    for delay in (0..12).map(|step| Duration::from_millis(2 * step)) {
        let mut command = cx.target().command();
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = Guard(child.unwrap());
        tokio::time::sleep(delay).await;
        child.terminate();
        let end = Instant::now() + PATIENCE;
        while child.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it goes on after a signal at {delay:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Before it catches signals, the signal itself ends it.
        let status = child.0.wait().unwrap();
        assert!(matches!(status.code(), Some(0) | None), "{status} after {delay:?}");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    // Nothing is left behind that keeps the next one from starting.
    serves(&cx.server_args(&["-a", "127.0.0.1", "-p", &port.to_string()]).await).await;
}

/// A message goes through the server.
async fn serves(server: &Server) {
    let mut c = server.raw_connected().await;
    c.send("SUB foo 1\r\nPUB foo 2\r\nok\r\n").await;
    c.expect("MSG foo 1 2\r\nok\r\n").await;
}

async fn ports_the_system_chose(cx: Cx) {
    let server = cx.server("port: -1, http_port: -1").await;
    let (client, monitor) = (server.port(), server.port_of("monitoring"));
    assert!(client != 0 && client != 4222 && monitor != 0 && monitor != client);
    let log = server.log();
    assert!(log.contains(&format!("Listening for client connections on 0.0.0.0:{client}\n")));
    assert!(log.contains(&format!("Starting http monitor on 0.0.0.0:{monitor}\n")), "{log}");
}

async fn no_monitoring_unless_asked_for(cx: Cx) {
    let server = cx.server_args(&["-a", "127.0.0.1", "-p", "-1"]).await;
    assert!(server.ports().get("monitoring").is_none(), "{}", server.ports());
    assert!(!server.log().contains("monitor"), "{}", server.log());
    serves(&server).await;
}

async fn the_configuration_file_is_in_the_log(cx: Cx) {
    crate::exercises!("config_keys", "top|logfile");
    let log = cx.dir().join("server.log");
    let mut server = cx.server("port: -1, log_file: '{dir}/server.log'").await;
    let path = server.config_path().display().to_string();
    let digest = cx.run(&["-t", "-c", &path]).await.stderr;
    let digest = digest.rsplit('(').next().unwrap().trim_end().trim_end_matches(')').to_owned();
    assert!(digest.starts_with("sha256:"), "{digest}");
    server.stop().await;
    let log = std::fs::read_to_string(log).unwrap();
    let line = format!("[INF] Using configuration file: {path} ({digest})");
    assert!(log.lines().any(|have| text(have) == line), "no {line} in {log}");
}

async fn a_comment_on_the_last_line(cx: Cx) {
    let config = "{\n\t\"listen\": \"127.0.0.1:-1\"\n}\n# wibble";
    let path = cx.file("comment.conf", config);
    let server = cx.server_args(&["-c", path.to_str().unwrap()]).await;
    serves(&server).await;
}

async fn users_of_the_system_account_do_not_open_the_door(cx: Cx) {
    let server = cx
        .server(
            "server_name: s-test
             authorization { users = [ { user: \"u\", password: \"pass\" } ] }
             accounts { $SYS: { users: [ { user: admin, password: pwd } ] } }",
        )
        .await;
    server.allow_errors("authentication error");
    assert!(server.log().contains("[WRN] Plaintext passwords detected, use nkeys or bcrypt\n"));
    for (user, pass) in [("u", "pass"), ("admin", "pwd")] {
        let mut c = server.raw().await;
        c.connect(serde_json::json!({"verbose": false, "user": user, "pass": pass})).await;
        c.flush().await;
    }
    let mut c = server.raw().await;
    c.connect(serde_json::json!({"verbose": false})).await;
    c.expect_err("Authorization Violation").await;
    c.expect_closed().await;
}

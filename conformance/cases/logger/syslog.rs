//! Lines to syslog daemons.

use nats_server::base::Env;
use nats_server::base::net::Collector;
use nats_server::logging::syslog::{parse_url, tag};
use nats_server::logging::{LogOptions, Logger, Target};
use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::time::Duration;

crate::cases! {
    "logger/syslog_test.go",
    library local_daemon => ["TestSysLogger", "TestSysLoggerWithDebugAndTrace"],
    library tag_of_a_program => ["TestSysLoggerTagGen"],
    library remote_frame => ["TestSysLoggerTag", "TestRemoteSysLogger", "TestRemoteSysLoggerNotice"],
    library remote_debug => ["TestRemoteSysLoggerDebug", "TestRemoteSysLoggerDebugDisabled"],
    library remote_trace => ["TestRemoteSysLoggerTrace", "TestRemoteSysLoggerTraceDisabled"],
    library urls => ["TestGetNetworkAndAddrUDP", "TestGetNetworkAndAddrTCP", "TestGetNetworkAndAddrUnix"],
}

fn local_daemon() {
    for on in [false, true] {
        let target = Target::Syslog;
        let options = LogOptions { target, debug: on, trace: on, ..Default::default() };
        match Logger::new(&Env::os(), &options) {
            Ok(log) => assert_eq!((log.debug_on(), log.trace_on()), (on, on)),
            // A machine without a daemon, as containers are.
            Err(e) => assert!(e.to_string().starts_with("error connecting to syslog: \""), "{e}"),
        }
    }
    unix_frames_have_the_local_form();
}

/// Over a Unix socket: no host name, and the short date.
fn unix_frames_have_the_local_form() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log.sock");
    let daemon = UnixListener::bind(&path).expect("a socket");
    let log = remote(format!("unix://{}", path.display()), false);
    let (mut stream, _) = daemon.accept().expect("the log's connection");
    log.error(format_args!("hello"));
    drop(log);
    let mut frame = String::new();
    stream.read_to_string(&mut frame).expect("a frame");
    let rest = frame.strip_prefix("<3>").expect("an error of facility 0");
    let (stamp, origin) = rest.split_at("Jan _2 15:04:05".len());
    assert!(stamp.as_bytes()[6] == b' ' && stamp.ends_with(|c: char| c.is_ascii_digit()));
    assert_eq!(origin, format!(" {}[{}]: hello\n", own_tag(), std::process::id()));
}

fn own_tag() -> String {
    tag(&Env::os().program()).to_owned()
}

fn remote(url: String, switches: bool) -> Logger {
    let target = Target::RemoteSyslog(url);
    let options = LogOptions { target, debug: switches, trace: switches, ..Default::default() };
    Logger::new(&Env::os(), &options).expect("a collector is there")
}

/// A collector by UDP, and a log that sends to it.
fn collector(switches: bool) -> (UdpSocket, Logger) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let url = format!("udp://{}", socket.local_addr().expect("an address"));
    (socket, remote(url, switches))
}

fn receive(socket: &UdpSocket) -> String {
    let mut buf = [0; 4096];
    let n = socket.recv(&mut buf).expect("a frame");
    String::from_utf8_lossy(&buf[..n]).into_owned()
}

/// The text of a frame, which is all that follows its origin.
fn text(frame: &str) -> &str {
    frame.split_once("]: ").expect("an origin, then a text").1
}

fn tag_of_a_program() {
    for (program, expected) in [
        ("nats-server", "nats-server"),
        ("./nats-server", "nats-server"),
        ("usr/local/nats-server", "nats-server"),
        ("/usr/local/nats-server", "nats-server"),
        ("../../nats-server", "nats-server"),
        ("nats-server.one", "nats-server.one"),
        ("nats-server_one", "nats-server_one"),
        ("nats-server-one", "nats-server-one"),
        ("nats-server one", "nats-server one"),
    ] {
        assert_eq!(tag(program), expected);
    }
}

fn remote_frame() {
    let (socket, log) = collector(true);
    assert!(log.debug_on() && log.trace_on());
    log.info(format_args!("one {}", "two"));
    let frame = receive(&socket);
    assert!(frame.starts_with("<5>"), "{frame}");
    let parts: Vec<&str> = frame.splitn(4, ' ').collect();
    let [stamp, host, origin, _] = parts.as_slice() else { panic!("{frame}") };
    assert_eq!(stamp.as_bytes()["<5>2006-01-02".len()], b'T');
    assert_eq!(*host, Env::os().hostname());
    assert_eq!(*origin, format!("{}[{}]:", own_tag(), std::process::id()));
    assert_eq!(text(&frame), "one two\n");
    for (log_one, priority) in [
        (Logger::warn as fn(&Logger, std::fmt::Arguments<'_>), "<4>"),
        (Logger::error, "<3>"),
        (Logger::fatal, "<2>"),
    ] {
        log_one(&log, format_args!("x"));
        let frame = receive(&socket);
        assert!(frame.starts_with(priority) && text(&frame) == "x\n", "{frame}");
    }
    assert_eq!(log.lost(), 0);
}

fn remote_debug() {
    let (socket, log) = collector(true);
    log.debug(format_args!("one {}", "two"));
    let frame = receive(&socket);
    assert!(frame.starts_with("<7>"), "{frame}");
    assert_eq!(text(&frame), "one two\n");
    let (socket, log) = collector(false);
    log.debug(format_args!("not sent"));
    log.info(format_args!("sent"));
    assert_eq!(text(&receive(&socket)), "sent\n");
}

fn remote_trace() {
    let (socket, log) = collector(true);
    log.trace(format_args!("one {}", "two"));
    let frame = receive(&socket);
    assert!(frame.starts_with("<5>"), "trace lines are notices: {frame}");
    assert_eq!(text(&frame), "one two\n");
    let (socket, log) = collector(false);
    log.trace(format_args!("not sent"));
    log.info(format_args!("sent"));
    assert_eq!(text(&receive(&socket)), "sent\n");
}

fn urls() {
    let parsed = |url: &str| parse_url(url).expect(url);
    assert_eq!(parsed("udp://logs.nats.io:514"), Collector::Udp("logs.nats.io:514".to_owned()));
    assert_eq!(parsed("tcp://logs.nats.io:601"), Collector::Tcp("logs.nats.io:601".to_owned()));
    assert_eq!(parsed("unix:///run/log.sock"), Collector::UnixStream("/run/log.sock".into()));
    let error = parse_url("https://logs.nats.io").expect_err("no such network");
    assert_eq!(error.to_string(), "error invalid network type: \"https\"");
}

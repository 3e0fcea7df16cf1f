//! The command line, as Go's `flag` package and upstream's main read it.
//!
//! Flags are laid over the options twice, as upstream does: before the configuration file is read
//! (what a flag set, the file may then contradict) and after it (a flag wins).
//! Go: ConfigureOptions, main.go.

use super::go::{parse_int, quote, split_host_port};
use super::options::{Options, Unsupported};
use super::parse::{ConfigErrors, load_over};
use super::read::Warning;
use super::{signal, tls, url};
use crate::base::Env;
use crate::tls::{TlsOptions, curve_names, suite_names};
use std::collections::BTreeSet;

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run a server.
    Run {
        /// Its options, defaults filled in, not yet validated.
        options: Box<Options>,
        /// Oddities of the configuration file, to be printed to standard error.
        warnings: Vec<Warning>,
    },
    /// `-t`: the configuration file is valid.
    CheckConfig {
        /// The file as named by the user.
        file: String,
        /// Its digest.
        digest: String,
    },
    /// Print the version.
    PrintVersion,
    /// Print [`usage`].
    PrintHelp,
    /// Print [`tls_usage`].
    PrintTlsHelp,
    /// Send a signal to a running server.
    Signal(signal::Request),
}

/// A command line that cannot be followed: what to print, and how to exit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{stderr}")]
pub struct CliError {
    /// Printed to standard error, line feeds included.
    pub stderr: String,
    /// Printed to standard output after that.
    pub stdout: String,
    /// Exit code.
    pub code: u8,
}

impl CliError {
    /// The way all errors but those of flags end.
    fn fatal(message: impl std::fmt::Display) -> Self {
        let stderr = format!("nats-server: {message}\n");
        Self { stderr, stdout: String::new(), code: 1 }
    }

    /// A wrong flag: its error, the usage, and no failure.
    fn usage(message: &str) -> Self {
        Self { stderr: format!("{message}\n"), stdout: usage(), code: 0 }
    }
}

/// What `--help` prints.
pub fn usage() -> String {
    include_str!("usage.txt").to_owned()
}

/// What `--help_tls` prints.
pub fn tls_usage() -> String {
    let mut text = include_str!("tls_usage_head.txt").to_owned();
    let lines = |names: &mut dyn Iterator<Item = &'static str>| -> String {
        names.map(|name| format!("    {name}\n")).collect()
    };
    text.push_str(&lines(&mut suite_names()));
    text.push_str("\nAvailable curve preferences include:\n");
    text.push_str(&lines(&mut curve_names()));
    text.push_str(include_str!("tls_usage_tail.txt"));
    text
}

/// The flags given, in order; kept with the options so that a reload can lay them over anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flags(Vec<(Flag, Given)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Text,
}

#[derive(Clone, Debug, PartialEq)]
enum Given {
    Bool(bool),
    Int(i64),
    Text(String),
}

/// One thing to be set; several names may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Flag {
    Help,
    HelpTls,
    Version,
    Port,
    ServerName,
    Host,
    ClientAdvertise,
    Debug,
    Trace,
    VerboseTrace,
    DebugTrace,
    DebugVerboseTrace,
    Logtime,
    LogtimeUtc,
    User,
    Pass,
    Auth,
    HttpPort,
    HttpsPort,
    Config,
    Check,
    Signal,
    PidFile,
    PortsFileDir,
    LogFile,
    LogSizeLimit,
    Syslog,
    RemoteSyslog,
    Profile,
    Routes,
    Cluster,
    ClusterAdvertise,
    NoAdvertise,
    ConnectRetries,
    ClusterName,
    Tls,
    TlsVerify,
    TlsCert,
    TlsKey,
    TlsCaCert,
    MaxTracedMsgLen,
    JetStream,
    StoreDir,
}

/// Every name, in the order of `kind`.
const FLAGS: [(&[&str], Flag, Kind); 43] = [
    (&["h", "help"], Flag::Help, Kind::Bool),
    (&["help_tls"], Flag::HelpTls, Kind::Bool),
    (&["v", "version"], Flag::Version, Kind::Bool),
    (&["p", "port"], Flag::Port, Kind::Int),
    (&["n", "name", "server_name"], Flag::ServerName, Kind::Text),
    (&["a", "addr", "net"], Flag::Host, Kind::Text),
    (&["client_advertise"], Flag::ClientAdvertise, Kind::Text),
    (&["D", "debug"], Flag::Debug, Kind::Bool),
    (&["V", "trace"], Flag::Trace, Kind::Bool),
    (&["VV"], Flag::VerboseTrace, Kind::Bool),
    (&["DV"], Flag::DebugTrace, Kind::Bool),
    (&["DVV"], Flag::DebugVerboseTrace, Kind::Bool),
    (&["T", "logtime"], Flag::Logtime, Kind::Bool),
    (&["logtime_utc"], Flag::LogtimeUtc, Kind::Bool),
    (&["user"], Flag::User, Kind::Text),
    (&["pass"], Flag::Pass, Kind::Text),
    (&["auth"], Flag::Auth, Kind::Text),
    (&["m", "http_port"], Flag::HttpPort, Kind::Int),
    (&["ms", "https_port"], Flag::HttpsPort, Kind::Int),
    (&["c", "config"], Flag::Config, Kind::Text),
    (&["t"], Flag::Check, Kind::Bool),
    (&["sl", "signal"], Flag::Signal, Kind::Text),
    (&["P", "pid"], Flag::PidFile, Kind::Text),
    (&["ports_file_dir"], Flag::PortsFileDir, Kind::Text),
    (&["l", "log"], Flag::LogFile, Kind::Text),
    (&["log_size_limit"], Flag::LogSizeLimit, Kind::Int),
    (&["s", "syslog"], Flag::Syslog, Kind::Bool),
    (&["r", "remote_syslog"], Flag::RemoteSyslog, Kind::Text),
    (&["profile"], Flag::Profile, Kind::Int),
    (&["routes"], Flag::Routes, Kind::Text),
    (&["cluster", "cluster_listen"], Flag::Cluster, Kind::Text),
    (&["cluster_advertise"], Flag::ClusterAdvertise, Kind::Text),
    (&["no_advertise"], Flag::NoAdvertise, Kind::Bool),
    (&["connect_retries"], Flag::ConnectRetries, Kind::Int),
    (&["cluster_name"], Flag::ClusterName, Kind::Text),
    (&["tls"], Flag::Tls, Kind::Bool),
    (&["tlsverify"], Flag::TlsVerify, Kind::Bool),
    (&["tlscert"], Flag::TlsCert, Kind::Text),
    (&["tlskey"], Flag::TlsKey, Kind::Text),
    (&["tlscacert"], Flag::TlsCaCert, Kind::Text),
    (&["max_traced_msg_len"], Flag::MaxTracedMsgLen, Kind::Int),
    (&["js", "jetstream"], Flag::JetStream, Kind::Bool),
    (&["sd", "store_dir"], Flag::StoreDir, Kind::Text),
];

/// Follows the arguments (without the program's name).
pub fn parse_args(env: &Env, args: &[String]) -> Result<Command, CliError> {
    let (flags, rest) = Flags::parse(args)?;
    if flags.is_on(Flag::Version) {
        return Ok(Command::PrintVersion);
    }
    if flags.is_on(Flag::Help) {
        return Ok(Command::PrintHelp);
    }
    if flags.is_on(Flag::HelpTls) {
        return Ok(Command::PrintTlsHelp);
    }
    if let Some(word) = rest.first() {
        return match word.to_lowercase().as_str() {
            "version" => Ok(Command::PrintVersion),
            "help" => Ok(Command::PrintHelp),
            _ => Err(CliError::fatal(format!("unrecognized command: {}", quote(word)))),
        };
    }
    if let Some(request) = flags.text(Flag::Signal) {
        return signal::Request::parse(env, request).map(Command::Signal).map_err(CliError::fatal);
    }
    configure(env, flags)
}

fn configure(env: &Env, flags: Flags) -> Result<Command, CliError> {
    let check = flags.is_on(Flag::Check);
    let Some(file) = flags.text(Flag::Config).map(str::to_owned) else {
        if check {
            return Err(CliError::fatal(
                "must specify [-c, --config] option to check configuration file syntax",
            ));
        }
        let mut options = Options::unset();
        flags.lay_over(&mut options);
        finish(env, flags, &mut options)?;
        return Ok(Command::Run { options: Box::new(options), warnings: Vec::new() });
    };
    let (options, warnings) = read(env, &file, flags)?;
    if !check {
        return Ok(Command::Run { options: Box::new(options), warnings });
    }
    // A check is stricter than a start: oddities fail it.
    match warnings.is_empty() {
        true => Ok(Command::CheckConfig { file, digest: options.config_digest }),
        false => {
            let errors = Vec::new();
            Err(CliError::fatal(ConfigErrors::Invalid { errors, warnings }))
        }
    }
}

fn read(env: &Env, file: &str, flags: Flags) -> Result<(Options, Vec<Warning>), CliError> {
    let mut options = Options::unset();
    flags.lay_over(&mut options);
    let warnings = load_over(env, file, &mut options).map_err(CliError::fatal)?;
    flags.lay_over(&mut options);
    // With `-t` upstream stops before it looks at what flags mean together.
    if !flags.is_on(Flag::Check) {
        finish(env, flags, &mut options)?;
    }
    Ok((options, warnings))
}

/// Reads the file of a running server again and lays the same flags over it.
pub fn reread(env: &Env, running: &Options) -> Result<(Options, Vec<Warning>), ConfigErrors> {
    let mut options = Options::unset();
    let warnings = load_over(env, &running.config_file, &mut options)?;
    running.flags.lay_over(&mut options);
    // They were accepted when the server started; only files they name may have changed.
    finish(env, running.flags.clone(), &mut options).map_err(|e| {
        let message = e.stderr.trim_end().trim_start_matches("nats-server: ").to_owned();
        let errors = vec![super::ConfigError { pos: None, message }];
        ConfigErrors::Invalid { errors, warnings: Vec::new() }
    })?;
    Ok((options, warnings))
}

/// What can only be judged when file and flags are both in.
fn finish(env: &Env, flags: Flags, options: &mut Options) -> Result<(), CliError> {
    flags.special(env, options)?;
    let cluster = &options.cluster;
    let clustered = !cluster.listen_str.is_empty() || !cluster.host.is_empty() || cluster.port != 0;
    if !options.routes_str.is_empty() && !clustered {
        return Err(CliError::fatal(
            "solicited routes require cluster capabilities, e.g. --cluster",
        ));
    }
    flags.note_unsupported(options);
    options.flags = flags;
    options.fill_defaults();
    Ok(())
}

impl Flags {
    /// Takes flags up to the first word that is none. Go: flag.FlagSet.parseOne.
    fn parse(args: &[String]) -> Result<(Self, &[String]), CliError> {
        let mut given = Vec::new();
        let mut rest = args;
        while let Some((arg, after)) = rest.split_first() {
            if arg.len() < 2 || !arg.starts_with('-') {
                break;
            }
            rest = after;
            let name = match arg.strip_prefix("--") {
                Some("") => break,
                Some(name) => name,
                None => &arg[1..],
            };
            if name.starts_with(['-', '=']) {
                return Err(CliError::usage(&format!("bad flag syntax: {arg}")));
            }
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (name, None),
            };
            let Some((_, flag, kind)) = FLAGS.iter().find(|(names, ..)| names.contains(&name))
            else {
                let message = format!("flag provided but not defined: -{name}");
                return Err(CliError::usage(&message));
            };
            let value = match (kind, value, rest.split_first()) {
                (_, Some(value), _) => value,
                (Kind::Bool, None, _) => "true",
                (_, None, Some((value, after))) => {
                    rest = after;
                    value
                }
                (_, None, None) => {
                    return Err(CliError::usage(&format!("flag needs an argument: -{name}")));
                }
            };
            given.push((*flag, read_value(*kind, name, value)?));
        }
        Ok((Self(given), rest))
    }

    fn last(&self, flag: Flag) -> Option<&Given> {
        self.0.iter().rev().find(|(f, _)| *f == flag).map(|(_, given)| given)
    }

    fn is_on(&self, flag: Flag) -> bool {
        self.last(flag) == Some(&Given::Bool(true))
    }

    /// A text that is set and not empty.
    fn text(&self, flag: Flag) -> Option<&str> {
        match self.last(flag) {
            Some(Given::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Sets what is given.
    fn lay_over(&self, options: &mut Options) {
        for (flag, given) in &self.0 {
            match given {
                Given::Bool(on) => set_bool(*flag, *on, options),
                Given::Int(n) => set_int(*flag, *n, options),
                Given::Text(text) => set_text(*flag, text, options),
            }
        }
    }

    /// Flags that mean several things, or one thing together, by name as upstream visits them.
    fn special(&self, env: &Env, options: &mut Options) -> Result<(), CliError> {
        if self.last(Flag::Cluster).is_some() {
            override_cluster(options).map_err(CliError::fatal)?;
        }
        if let Some(Given::Bool(on)) = self.last(Flag::DebugTrace) {
            (options.debug, options.trace) = (*on, *on);
        }
        if let Some(Given::Bool(on)) = self.last(Flag::DebugVerboseTrace) {
            (options.debug, options.trace, options.trace_verbose) = (*on, *on, *on);
        }
        if let Some(Given::Bool(on)) = self.last(Flag::VerboseTrace) {
            (options.trace, options.trace_verbose) = (*on, *on);
        }
        if self.last(Flag::Routes).is_some() {
            options.routes = routes(&options.routes_str);
        }
        self.override_tls(env, options).map_err(CliError::fatal)
    }

    /// `--tls=false` turns TLS off; any other TLS flag replaces the file's block.
    fn override_tls(&self, env: &Env, options: &mut Options) -> Result<(), String> {
        let others = [Flag::TlsVerify, Flag::TlsCert, Flag::TlsKey, Flag::TlsCaCert];
        match self.last(Flag::Tls) {
            Some(Given::Bool(false)) => {
                options.tls = None;
                return Ok(());
            }
            None if others.iter().all(|flag| self.last(*flag).is_none()) => return Ok(()),
            _ => {}
        }
        let text = |flag| self.text(flag).unwrap_or_default().to_owned();
        let mut block = TlsOptions {
            cert_file: text(Flag::TlsCert),
            key_file: text(Flag::TlsKey),
            ca_file: text(Flag::TlsCaCert),
            verify: self.is_on(Flag::TlsVerify),
            ..TlsOptions::default()
        };
        if block.cert_file.is_empty() {
            return Err("TLS Server certificate must be present and valid".to_owned());
        }
        if block.key_file.is_empty() {
            return Err("TLS Server private key must be present and valid".to_owned());
        }
        tls::check_loadable(env, &block)?;
        // What the file's block says beside its certificates stays.
        if let Some(old) = options.tls.take() {
            block.timeout = old.timeout;
            block.map = old.map;
            block.pinned_certs = old.pinned_certs;
            block.rate_limit = old.rate_limit;
            block.handshake_first = old.handshake_first;
            block.handshake_first_fallback = old.handshake_first_fallback;
        }
        options.tls = Some(block);
        Ok(())
    }

    /// Flags whose subsystem does not exist yet.
    fn note_unsupported(&self, options: &mut Options) {
        let mut seen = BTreeSet::new();
        for (flag, given) in &self.0 {
            let name = match (flag, given) {
                (Flag::Profile, Given::Int(1..)) => "--profile",
                (Flag::Routes, Given::Text(text)) if !text.is_empty() => "--routes",
                (Flag::Cluster, Given::Text(text)) if !text.is_empty() => "--cluster",
                (Flag::ClusterName, Given::Text(text)) if !text.is_empty() => "--cluster_name",
                (Flag::JetStream, Given::Bool(true)) => "--jetstream",
                _ => continue,
            };
            if seen.insert(name) {
                options.unsupported.push(Unsupported { key: name.to_owned(), pos: None });
            }
        }
    }
}

fn read_value(kind: Kind, name: &str, value: &str) -> Result<Given, CliError> {
    match kind {
        Kind::Text => Ok(Given::Text(value.to_owned())),
        Kind::Bool => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Given::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Given::Bool(false)),
            _ => {
                let value = quote(value);
                let message = format!("invalid boolean value {value} for -{name}: parse error");
                Err(CliError::usage(&message))
            }
        },
        Kind::Int => read_int(value).map(Given::Int).map_err(|error| {
            let value = quote(value);
            CliError::usage(&format!("invalid value {value} for flag -{name}: {error}"))
        }),
    }
}

/// A number as Go's `ParseInt` reads it with base 0: prefixes and `_` allowed.
fn read_int(text: &str) -> Result<i64, &'static str> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    let prefixed = body.len() < lower.len();
    let underscores = body.starts_with('_') && !prefixed || body.ends_with('_');
    let plain = body.replace('_', "");
    if plain.is_empty() || underscores || body.contains("__") {
        return Err("parse error");
    }
    if !plain.chars().all(|c| c.is_digit(radix)) {
        return Err("parse error");
    }
    let value = i128::from_str_radix(&plain, radix).map_err(|_| "value out of range")?;
    i64::try_from(if negative { -value } else { value }).map_err(|_| "value out of range")
}

fn set_bool(flag: Flag, on: bool, options: &mut Options) {
    let slot = match flag {
        Flag::Debug => &mut options.debug,
        Flag::Trace => &mut options.trace,
        Flag::Logtime => &mut options.logtime,
        Flag::LogtimeUtc => &mut options.logtime_utc,
        Flag::Syslog => &mut options.syslog,
        Flag::NoAdvertise => &mut options.cluster.no_advertise,
        Flag::JetStream => &mut options.jetstream.enabled,
        Flag::Check => &mut options.check_config,
        _ => return,
    };
    *slot = on;
}

fn set_int(flag: Flag, value: i64, options: &mut Options) {
    let small = i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX });
    match flag {
        Flag::Port => options.port = small,
        Flag::HttpPort => options.http_port = small,
        Flag::HttpsPort => options.https_port = small,
        Flag::LogSizeLimit => options.log_size_limit = value,
        Flag::Profile => options.prof_port = small,
        Flag::ConnectRetries => options.cluster.connect_retries = small,
        Flag::MaxTracedMsgLen => options.max_traced_msg_len = small,
        _ => {}
    }
}

fn set_text(flag: Flag, text: &str, options: &mut Options) {
    let slot = match flag {
        Flag::ServerName => &mut options.server_name,
        Flag::Host => &mut options.host,
        Flag::ClientAdvertise => &mut options.client_advertise,
        Flag::User => &mut options.username,
        Flag::Pass => {
            options.password = text.into();
            return;
        }
        Flag::Auth => {
            options.authorization = text.into();
            return;
        }
        Flag::PidFile => &mut options.pid_file,
        Flag::PortsFileDir => &mut options.ports_file_dir,
        Flag::LogFile => &mut options.log_file,
        Flag::RemoteSyslog => &mut options.remote_syslog,
        Flag::Routes => &mut options.routes_str,
        Flag::Cluster => &mut options.cluster.listen_str,
        Flag::ClusterAdvertise => &mut options.cluster.advertise,
        Flag::ClusterName => &mut options.cluster.name,
        Flag::StoreDir => &mut options.store_dir,
        _ => return,
    };
    text.clone_into(slot);
}

/// Routes of `--routes`; what is no URL is dropped, as upstream drops it.
fn routes(text: &str) -> Vec<url::Url> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.filter_map(|part| url::Url::parse(part).ok()).collect()
}

/// `--cluster` replaces the file's listener and user. Go: overrideCluster.
fn override_cluster(options: &mut Options) -> Result<(), String> {
    let cluster = &mut options.cluster;
    if cluster.listen_str.is_empty() {
        cluster.port = 0;
        return Ok(());
    }
    // A port of -1 is no URL.
    let random = cluster.listen_str.strip_suffix(":-1").map(|listen| format!("{listen}:0"));
    let is_random = random.is_some();
    if let Some(listen) = random {
        cluster.listen_str = listen;
    }
    let url = url::Url::parse(&cluster.listen_str)?;
    let (host, port) = split_host_port(&url.host)?;
    cluster.host = host.to_owned();
    cluster.port = match is_random {
        true => -1,
        false => parse_int("ParseInt", port)
            .ok()
            .and_then(|port| i32::try_from(port).ok())
            .ok_or("expected integer")?,
    };
    match (url.username, url.password) {
        (Some(_), None) => return Err("expected cluster password to be set".to_owned()),
        (Some(user), Some(password)) => {
            cluster.username = user;
            cluster.password = password;
        }
        (None, _) => {
            cluster.username.clear();
            cluster.password = "".into();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn run(line: &str) -> Options {
        match parse_args(&Env::simulated(1), &args(line)) {
            Ok(Command::Run { options, .. }) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn flags_read_as_gos_flag_package_reads_them() {
        let check = |line: &str, port: i32, debug: bool| {
            let options = run(line);
            assert_eq!((options.port, options.debug), (port, debug), "{line}");
        };
        check("", 4222, false);
        check("-p 1 -D", 1, true);
        check("--port=0x10 --debug=false", 16, false);
        check("-p -1 -DV", -1, true);
        check("-D=T -DV=false", 4222, false);
        check("-D -- ", 4222, true);
    }

    #[test]
    fn wrong_flags_print_error_and_usage_and_exit_with_0() {
        let check = |line: &str, want: &str| {
            let error = parse_args(&Env::simulated(1), &args(line)).unwrap_err();
            assert_eq!((error.stderr.trim_end(), error.code), (want, 0), "{line}");
            assert_eq!(error.stdout, usage());
        };
        check("-bogus", "flag provided but not defined: -bogus");
        check("---x", "bad flag syntax: ---x");
        check("-=x", "bad flag syntax: -=x");
        check("-c", "flag needs an argument: -c");
        check("-p x", "invalid value \"x\" for flag -p: parse error");
        check("-p 1_000_", "invalid value \"1_000_\" for flag -p: parse error");
        check(
            "-p 99999999999999999999",
            "invalid value \"99999999999999999999\" for flag -p: value out of range",
        );
        check("-D=maybe", "invalid boolean value \"maybe\" for -D: parse error");
    }

    #[test]
    fn wrong_commands_exit_with_1() {
        let check = |line: &str, want: &str| {
            let error = parse_args(&Env::simulated(1), &args(line)).unwrap_err();
            assert_eq!((error.stderr.as_str(), error.code), (want, 1), "{line}");
        };
        check("foo", "nats-server: unrecognized command: \"foo\"\n");
        check(
            "-t",
            "nats-server: must specify [-c, --config] option to check configuration file syntax\n",
        );
        check(
            "--routes nats://a:1",
            "nats-server: solicited routes require cluster capabilities, e.g. --cluster\n",
        );
        check("--tls", "nats-server: TLS Server certificate must be present and valid\n");
        check("--signal ldm=1=2", "nats-server: invalid signal parameters: [2]\n");
        check("--signal ldm=x", "nats-server: invalid pid: x\n");
    }

    #[test]
    fn words_ask_for_version_and_help() {
        let check = |line: &str| parse_args(&Env::simulated(1), &args(line));
        assert!(matches!(check("version"), Ok(Command::PrintVersion)));
        assert!(matches!(check("-v"), Ok(Command::PrintVersion)));
        assert!(matches!(check("HELP"), Ok(Command::PrintHelp)));
        assert!(matches!(check("-D --help"), Ok(Command::PrintHelp)));
        assert!(matches!(check("-help_tls"), Ok(Command::PrintTlsHelp)));
    }

    #[test]
    fn cluster_comes_apart() {
        let options = run("--cluster nats://u:p@127.0.0.1:-1 --routes nats://a:1,nats://b:2");
        assert_eq!((options.cluster.host.as_str(), options.cluster.port), ("127.0.0.1", -1));
        assert_eq!((options.cluster.username.as_str(), &*options.cluster.password), ("u", "p"));
        assert_eq!(options.routes.len(), 2);
        let keys: Vec<&str> = options.unsupported().iter().map(|u| u.key.as_str()).collect();
        assert_eq!(keys, ["--cluster", "--routes"]);
    }
}

//! `--signal <command>[=<pid>]`. Go: processSignal, ProcessSignal.

use crate::base::Env;
use std::path::Path;

/// A command for a running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As written; [`Command::parse`] judges it once a process is found, as upstream does.
    pub command: String,
    /// Processes it is meant for.
    pub pids: Pids,
}

/// Which processes a command is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pids {
    /// The only server that runs.
    Only,
    /// This one.
    Exactly(i32),
    /// All whose id starts with this text (`12*`; empty for `*`).
    StartingWith(String),
}

/// What a server can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Kill.
    Stop,
    /// Interrupt: shut down.
    Quit,
    /// Terminate: shut down.
    Term,
    /// Open the log file anew.
    Reopen,
    /// Read the configuration again.
    Reload,
    /// Lame duck mode.
    LameDuck,
}

impl Command {
    /// Reads a command's name.
    pub fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "stop" => Self::Stop,
            "quit" => Self::Quit,
            "term" => Self::Term,
            "reopen" => Self::Reopen,
            "reload" => Self::Reload,
            "ldm" => Self::LameDuck,
            _ => return Err(format!("unknown signal {}", super::go::quote(name))),
        })
    }
}

impl Request {
    /// Reads `command[=pid]`, where the process may be named by a file that holds its id.
    pub(super) fn parse(env: &Env, text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('=').collect();
        let (command, pid) = match parts[..] {
            [command] => (command, String::new()),
            [command, pid] => (command, pid_text(env, pid)),
            [_, _, ref rest @ ..] => {
                return Err(format!("invalid signal parameters: [{}]", rest.join(" ")));
            }
            [] => ("", String::new()),
        };
        let number = pid.strip_suffix('*').unwrap_or(&pid);
        if !number.is_empty() && super::go::parse_int("Atoi", number).is_err() {
            return Err(format!("invalid pid: {number}"));
        }
        let pids = match (pid.ends_with('*'), number.parse()) {
            (true, _) => Pids::StartingWith(number.to_owned()),
            (false, Ok(pid)) => Pids::Exactly(pid),
            (false, Err(_)) if number.is_empty() => Pids::Only,
            (false, Err(_)) => return Err(format!("invalid pid: {number}")),
        };
        Ok(Self { command: command.to_owned(), pids })
    }
}

/// The content of the file, if it is one.
fn pid_text(env: &Env, pid: &str) -> String {
    env.fs().read_to_string(Path::new(pid)).unwrap_or_else(|_| pid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_apart() {
        let env = Env::simulated(1);
        env.fs().write(Path::new("/run/pid"), b"42", 0).unwrap();
        let check = |text: &str, want: Result<(&str, Pids), &str>| {
            let got = Request::parse(&env, text);
            let got = got.as_ref().map(|r| (r.command.as_str(), r.pids.clone()));
            assert_eq!(got.map_err(String::as_str), want, "{text}");
        };
        check("reload", Ok(("reload", Pids::Only)));
        check("reload=", Ok(("reload", Pids::Only)));
        check("ldm=17", Ok(("ldm", Pids::Exactly(17))));
        check("ldm=/run/pid", Ok(("ldm", Pids::Exactly(42))));
        check("stop=1*", Ok(("stop", Pids::StartingWith("1".to_owned()))));
        check("stop=*", Ok(("stop", Pids::StartingWith(String::new()))));
        check("stop=1x", Err("invalid pid: 1x"));
        check("stop=1=2=3", Err("invalid signal parameters: [2 3]"));
        assert_eq!(Command::parse("nope"), Err("unknown signal \"nope\"".to_owned()));
    }
}

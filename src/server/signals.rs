//! What signals do.

use super::Server;
use crate::base::Env;
use crate::base::signals::{Signal, Signals};
use crate::config::signal::{Command, Pids, Request};
use crate::conn::Phase;
use rustix::process::Signal as Number;

impl Server {
    /// Obeys signals until the server has ended.
    pub async fn obey(&self, mut signals: Signals) {
        loop {
            let signal = tokio::select! {
                biased;
                () = self.wait_for_shutdown() => return,
                signal = signals.next() => signal,
            };
            self.0.log.info(format_args!("Trapped \"{}\" signal", signal.as_str()));
            match signal {
                Signal::Interrupt => self.shutdown().await,
                Signal::Terminate => {
                    if self.0.ctx.phase() != Phase::LameDuck {
                        self.shutdown().await;
                    }
                }
                Signal::User1 => self.0.log.reopen(),
                Signal::User2 => {
                    let server = self.clone();
                    self.0.endings.spawn(async move { server.lame_duck().await });
                }
                Signal::Hangup => {
                    if let Err(e) = self.reload().await {
                        self.0
                            .log
                            .error(format_args!("Failed to reload server configuration: {e}"));
                    }
                }
            }
        }
    }
}

/// The name servers run under.
const PROGRAM: &str = "nats-server";

/// `--signal`: tells running servers what to do.
///
/// # Errors
/// The text for the user.
pub(super) fn send(env: &Env, request: &Request) -> Result<(), String> {
    let pids = find(env, &request.pids)?;
    let number = match Command::parse(&request.command)? {
        Command::Stop => Number::KILL,
        Command::Quit => Number::INT,
        Command::Term => Number::TERM,
        Command::Reopen => Number::USR1,
        Command::Reload => Number::HUP,
        Command::LameDuck => Number::USR2,
    };
    let failures: String = pids
        .into_iter()
        .filter_map(|pid| {
            let problem = env.kill(pid, number).err()?;
            let problem = crate::base::fs::reason(&problem).to_string();
            Some(format!("\nsignal \"{}\" {pid}: {problem}", request.command))
        })
        .collect();
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

fn find(env: &Env, wanted: &Pids) -> Result<Vec<i32>, String> {
    if let Pids::Exactly(pid) = wanted {
        return Ok(vec![*pid]);
    }
    let running = env.processes(PROGRAM);
    let mut pids = running.map_err(|_| "unable to resolve pid, try providing one".to_owned())?;
    match (&pids[..], wanted) {
        ([], _) => return Err(format!("no {PROGRAM} processes running")),
        ([_, _, ..], Pids::Only) => {
            let list: String = pids.iter().map(|pid| format!("\n{pid}")).collect();
            return Err(format!("multiple {PROGRAM} processes running:{list}"));
        }
        _ => {}
    }
    if let Pids::StartingWith(start) = wanted {
        // None of that name is not an error, once any server runs.
        pids.retain(|pid| pid.to_string().starts_with(start));
    }
    Ok(pids)
}

//! The command line program.

use super::{Server, StartError};
use crate::base::Env;
use crate::base::limits::COMPATIBLE_VERSION;
use crate::base::signals::Signals;
use crate::config::flags::{Command, parse_args, tls_usage, usage};
use crate::config::options::Options;
use std::process::ExitCode;

/// Runs the program: parses `args` (without the program's name), does what they ask for, and
/// returns its exit code.
pub fn run(args: &[String]) -> ExitCode {
    let env = Env::os();
    if let Some((verb, rest)) = args.split_first()
        && verb == "store"
    {
        let mut out = std::io::BufWriter::new(std::io::stdout());
        let mut input = std::io::stdin().lock();
        return ExitCode::from(super::store_cli::run(&env, rest, &mut input, &mut out));
    }
    match parse_args(&env, args) {
        Err(e) => {
            env.print_error(&e.stderr);
            env.print(&e.stdout);
            ExitCode::from(e.code)
        }
        Ok(Command::PrintVersion) => {
            let own = env!("CARGO_PKG_VERSION");
            env.print(&format!("nats-server: v{COMPATIBLE_VERSION}\nnats-server-rs {own}\n"));
            ExitCode::SUCCESS
        }
        Ok(Command::PrintHelp) => {
            env.print(&usage());
            ExitCode::SUCCESS
        }
        Ok(Command::PrintTlsHelp) => {
            env.print(&tls_usage());
            ExitCode::SUCCESS
        }
        Ok(Command::CheckConfig { file, digest }) => {
            let text = format!("nats-server: configuration file {file} is valid ({digest})\n");
            env.print_error(&text);
            ExitCode::SUCCESS
        }
        Ok(Command::Signal(request)) => match super::signals::send(&env, &request) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => fail(&env, &e),
        },
        Ok(Command::Run { options, warnings }) => {
            for warning in warnings {
                env.print_error(&format!("{warning}\n"));
            }
            serve(&env, *options)
        }
    }
}

fn fail(env: &Env, problem: &dyn std::fmt::Display) -> ExitCode {
    env.print_error(&format!("nats-server: {problem}\n"));
    ExitCode::FAILURE
}

fn serve(env: &Env, options: Options) -> ExitCode {
    let runtime = match crate::base::tasks::runtime() {
        Ok(runtime) => runtime,
        Err(e) => return fail(env, &e),
    };
    let env = env.clone();
    runtime.block_on(async move {
        let signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(e) => return fail(&env, &e),
        };
        let no_signals = options.no_sigs;
        let server = match Box::pin(Server::start_in(env.clone(), options)).await {
            Ok(server) => server,
            Err(StartError::Logged(_)) => return ExitCode::FAILURE,
            Err(StartError::Log(e)) => {
                env.print_error(&format!("{} {e}\n", crate::logging::date_and_time(&env)));
                return ExitCode::FAILURE;
            }
            Err(e) => return fail(&env, &e),
        };
        if no_signals {
            server.wait_for_shutdown().await;
        } else {
            server.obey(signals).await;
        }
        ExitCode::SUCCESS
    })
}

//! `nats-server store check`.

use super::find::{self, Place};
use super::{Args, DAMAGED, Keys, SOUND, UNREADABLE, report};
use crate::base::Env;
use crate::store::file::consumers::{self, Consumer, ConsumerError};
use crate::store::file::crypt::CryptError;
use crate::store::file::files::FileError;
use crate::store::file::recover::{self, Options, RecoverError, Recovered};
use std::io::{ErrorKind, Write};

/// What is known of a stream.
pub(super) struct Checked {
    /// Where it is.
    pub place: Place,
    /// The stream, or why it cannot be told.
    pub stream: Result<Recovered, RecoverError>,
    /// Its consumers.
    pub consumers: Vec<Consumer>,
}

impl Checked {
    /// The exit status for it alone.
    fn status(&self) -> u8 {
        let stream = match &self.stream {
            Ok(found) if found.damage.is_empty() => SOUND,
            Ok(_) | Err(RecoverError::Meta { .. } | RecoverError::Name { .. }) => DAMAGED,
            Err(RecoverError::File(e)) => file_status(e),
        };
        let of = |problem: &ConsumerError| match problem {
            ConsumerError::File(e) => file_status(e),
            _ => DAMAGED,
        };
        let consumers = self.consumers.iter().map(|consumer| {
            let sum = if consumer.sum_matches { SOUND } else { DAMAGED };
            let info = consumer.info.as_ref().err().map_or(SOUND, of);
            sum.max(info).max(consumer.state.as_ref().err().map_or(SOUND, of))
        });
        consumers.fold(stream, u8::max)
    }
}

/// A missing or damaged file is damage, one that may not be read or lacks its key is not readable.
fn file_status(problem: &FileError) -> u8 {
    match problem {
        FileError::Io { source, .. } if source.kind() == ErrorKind::NotFound => DAMAGED,
        FileError::Crypt { source: CryptError::Damaged | CryptError::KeyFile(_), .. } => DAMAGED,
        FileError::Io { .. } | FileError::NoKey(_) | FileError::Crypt { .. } => UNREADABLE,
    }
}

/// Checks a folder and reports to `out`. Returns the exit status.
pub(super) fn run(env: &Env, args: &Args, out: &mut dyn Write) -> Result<u8, String> {
    let keys = Keys::load(env, args)?;
    let dir = env.absolute(&args.dir).map_err(|e| format!("{}: {e}", args.dir))?;
    let places = find::streams(env.fs(), &dir)?;
    let mut checked = Vec::with_capacity(places.len());
    for (done, place) in places.iter().enumerate() {
        progress(env, done, places.len(), &place.stream);
        checked.push(check(env, &keys, place.clone())?);
    }
    progress(env, places.len(), places.len(), "");
    let written =
        if args.is_set("json") { report::json(&checked, out) } else { report::text(&checked, out) };
    written.map_err(|e| format!("standard output: {e}"))?;
    Ok(checked.iter().map(Checked::status).max().unwrap_or(SOUND))
}

/// As a server would find it that starts now.
fn check(env: &Env, keys: &Keys, place: Place) -> Result<Checked, String> {
    let (fs, ring) = (env.fs(), keys.ring(&place.account));
    let now_ns = Some(env.clock().wall_ns());
    let options = Options { keys: ring.as_ref(), verify: true, now_ns };
    let stream = recover::stream(fs, &place.dir, options);
    let found = consumers::consumers(fs, &place.dir, &place.stream, ring.as_ref());
    let mut found = found.map_err(|e| e.to_string())?;
    if let Some(only) = &place.consumer {
        found.retain(|consumer| consumer.name == *only);
        if found.is_empty() {
            return Err(format!("{}: no such consumer", only));
        }
    }
    Ok(Checked { place, stream, consumers: found })
}

/// A bar on a terminal, gone at the end.
fn progress(env: &Env, done: usize, all: usize, name: &str) {
    const WIDTH: usize = 30;
    if !env.stderr_is_terminal() || all == 0 {
        return;
    }
    if done == all {
        env.print_error("\r\x1b[K");
        return;
    }
    let full = WIDTH * done / all;
    let bar: String = (0..WIDTH).map(|i| if i < full { '#' } else { '.' }).collect();
    env.print_error(&format!("\r\x1b[K[{bar}] {done}/{all} {name}"));
}

//! `nats-server store dump`.

use super::find;
use super::{Args, DAMAGED, Keys, SOUND};
use crate::base::Env;
use crate::model::Time;
use crate::store::file::record::Record;
use crate::store::file::recover::{self, Options, Remedy};
use crate::wire::subject;
use data_encoding::BASE64;
use serde::Serialize;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// A message; the fields are those of a stored message in the API.
#[derive(Serialize)]
struct Message<'a> {
    subject: &'a str,
    seq: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    hdrs: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    time: Time,
}

/// Prints the messages of a stream to `out`. Returns the exit status.
pub(super) fn run(env: &Env, args: &Args, out: &mut dyn Write) -> Result<u8, String> {
    let keys = Keys::load(env, args)?;
    let range = (args.seq("from")?.unwrap_or(0), args.seq("to")?.unwrap_or(u64::MAX));
    let filter = args.value("subject").unwrap_or(">");
    if !subject::is_valid_subject(filter.as_bytes()) {
        return Err(format!("--subject: no subject: {filter}"));
    }
    let dir = env.absolute(&args.dir).map_err(|e| format!("{}: {e}", args.dir))?;
    let place = match &find::streams(env.fs(), &dir)?[..] {
        [place] if place.dir == dir => place.clone(),
        _ => return Err(format!("{}: not a stream's folder", dir.display())),
    };
    let ring = keys.ring(&place.account);
    let salvage = args.is_set("salvage");
    // What is salvaged may be too old to be served.
    let now_ns = (!salvage).then(|| env.clock().wall_ns());
    let options = Options { keys: ring.as_ref(), verify: true, now_ns };
    let found = recover::stream(env.fs(), &dir, options).map_err(|e| e.to_string())?;
    let messages_lost = found.damage.iter().filter(|damage| damage.remedy != Remedy::Rewrite);
    for damage in messages_lost.clone() {
        let (file, offset) = (damage.file.display(), damage.offset);
        env.print_error(&format!("nats-server: {file} at byte {offset}: {}\n", damage.cause));
    }
    let damaged = messages_lost.count() > 0;
    if damaged && !salvage {
        env.print_error("nats-server: the stream is damaged; --salvage prints what is readable\n");
        return Ok(DAMAGED);
    }
    let mut written = Ok(());
    let all = filter == ">";
    let visit = |record: &Record<'_>| {
        if all || subject::matches(record.subject, filter.as_bytes()) {
            written = print(record, out);
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let read = found.messages(env.fs(), ring.as_ref(), range, visit);
    read.map_err(|e| e.to_string())?;
    match written.and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
        _ => Ok(if damaged { DAMAGED } else { SOUND }),
    }
}

fn print(record: &Record<'_>, out: &mut dyn Write) -> io::Result<()> {
    let message = Message {
        subject: &String::from_utf8_lossy(record.subject),
        seq: record.seq,
        hdrs: BASE64.encode(record.headers),
        data: BASE64.encode(record.payload),
        time: Time::from_unix_ns(record.time_ns),
    };
    serde_json::to_writer(&mut *out, &message)?;
    out.write_all(b"\n")
}

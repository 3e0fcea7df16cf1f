//! `nats-server store load`.

use super::{Args, Keys, SOUND};
use crate::base::fs::reason;
use crate::base::{Env, json};
use crate::model::{FileStreamInfo, StorageType, StreamConfig, Time};
use crate::store::file::build::{BuildError, Builder, Message, Place};
use crate::store::file::layout;
use crate::store::file::record::RECORD_LEN_MAX;
use crate::store::message;
use crate::store::schedules::Schedules;
use crate::wire::subject;
use data_encoding::BASE64;
use serde::Deserialize;
use std::io::{BufRead, Read};
use std::path::Path;

/// Bytes of a line: the largest record in base64, with room for the rest.
const LINE_LEN_MAX: usize = 2 * RECORD_LEN_MAX;

/// A line, as `store dump` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: Time,
}

/// Makes a stream of the messages that `input` has. Returns the exit status.
pub(super) fn run(env: &Env, args: &Args, input: &mut dyn BufRead) -> Result<u8, String> {
    let keys = Keys::load(env, args)?;
    let last = args.seq("last")?;
    let dir = env.absolute(&args.dir).map_err(|e| format!("{}: {e}", args.dir))?;
    let part = |levels: usize| dir.ancestors().nth(levels).and_then(Path::file_name);
    let part = |levels| part(levels).map(|name| name.to_string_lossy().into_owned());
    let config = config(env, args)?;
    if part(0).as_deref() != Some(&config.name) {
        return Err(format!("{}: not named as the stream, {:?}", dir.display(), config.name));
    }
    let ring = keys.ring(&part(2).unwrap_or_default());
    if ring.is_some() && part(1).as_deref() != Some(layout::STREAMS) {
        let dir = dir.display();
        return Err(format!("{dir}: keys need an account: not in ACCOUNT/{}", layout::STREAMS));
    }
    let info = FileStreamInfo { created: Time::from_unix_ns(env.clock().wall_ns()), config };
    let mut entropy = |buf: &mut [u8]| env.entropy(buf);
    let place = Place { fs: env.fs(), dir: &dir, keys: ring.as_ref(), entropy: &mut entropy };
    let mut stream = Builder::new(place, &info).map_err(|e| e.to_string())?;
    let mut schedules = info.config.allow_msg_schedules.then(Schedules::new);
    add_all(&mut stream, input, &mut |message| {
        let Some(schedules) = &mut schedules else { return };
        let Message { seq, time_ns, subject, headers, .. } = *message;
        let now_ns = info.created.unix_ns();
        message::note_schedule(env, schedules, (seq, time_ns), subject, headers, now_ns);
    })?;
    schedules.into_iter().for_each(|schedules| stream.set_schedules(schedules));
    if let Some(seq) = last {
        stream.skip_to(seq).map_err(|e| format!("--last: {e}"))?;
    }
    stream.finish().map_err(|e| e.to_string())?;
    Ok(SOUND)
}

fn config(env: &Env, args: &Args) -> Result<StreamConfig, String> {
    let file = args.value("stream").ok_or("which configuration? --stream CONFIG.json")?;
    let path = env.absolute(file).map_err(|e| format!("{file}: {e}"))?;
    let content = env.fs().read(&path).map_err(|e| format!("{file}: {}", reason(&e)))?;
    let config: StreamConfig = json::from_slice(&content).map_err(|e| format!("{file}: {e}"))?;
    let name = config.name.as_bytes();
    if !subject::is_valid_literal_subject(name) || name.contains(&b'.') {
        return Err(format!("{file}: no name of a stream: {:?}", config.name));
    }
    if config.storage != StorageType::File {
        return Err(format!("{file}: the stream is kept in memory"));
    }
    Ok(config)
}

fn add_all(
    stream: &mut Builder<'_>,
    input: &mut dyn BufRead,
    note: &mut dyn FnMut(&Message<'_>),
) -> Result<(), String> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let mut limited = Read::take(&mut *input, LINE_LEN_MAX as u64);
        let read = limited.read_until(b'\n', &mut line);
        if read.map_err(|e| format!("standard input: {e}"))? == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() == LINE_LEN_MAX {
            return Err(format!("line {number}: longer than {LINE_LEN_MAX} bytes"));
        }
        add(stream, &line, note).map_err(|problem| match problem {
            Problem::Line(why) => format!("line {number}: {why}"),
            Problem::Io(why) => why,
        })?;
    }
    Ok(())
}

/// What is wrong with a line, or with the disk.
enum Problem {
    Line(String),
    Io(String),
}

fn add(
    stream: &mut Builder<'_>,
    line: &[u8],
    note: &mut dyn FnMut(&Message<'_>),
) -> Result<(), Problem> {
    let line: Line = serde_json::from_slice(line)
        .map_err(|e| Problem::Line(e.to_string().replace(" at line 1 column ", " at column ")))?;
    let bytes = |field: &str, text: &str| {
        let decoded = BASE64.decode(text.as_bytes());
        decoded.map_err(|e| Problem::Line(format!("{field}: no base64: {e}")))
    };
    let (headers, payload) = (bytes("hdrs", &line.hdrs)?, bytes("data", &line.data)?);
    if !subject::is_valid_literal_subject(line.subject.as_bytes()) {
        return Err(Problem::Line(format!("subject: not one to publish to: {:?}", line.subject)));
    }
    let time_ns = line.time.unix_ns();
    if [i64::MIN, i64::MAX].contains(&time_ns) {
        return Err(Problem::Line(format!("time: out of range: {}", line.time)));
    }
    let message = Message {
        seq: line.seq,
        time_ns,
        subject: line.subject.as_bytes(),
        headers: &headers,
        payload: &payload,
    };
    stream.add(&message).map_err(|problem| match problem {
        BuildError::Io { .. } => Problem::Io(problem.to_string()),
        BuildError::Sequence { .. } | BuildError::TooLarge(_) => Problem::Line(problem.to_string()),
    })?;
    note(&message);
    Ok(())
}

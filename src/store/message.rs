//! What the stores know of a message's headers. Go: `server/stream.go` `getMessageTTL`,
//! `nextMessageSchedule`, `streamAndSeq`.

use super::schedules::{Schedule, Schedules};
use super::sources::SourceState;
use crate::base::Env;
use crate::base::duration::GoDuration;
use crate::base::text;
use crate::base::zone::Zone;
use crate::model::Time;
use crate::wire::headers;

const SECOND_NS: i64 = 1_000_000_000;

/// Seconds to live by the message's own header; -1 is for ever, 0 is not said (or not readable).
pub fn ttl_s(block: &[u8]) -> i64 {
    headers::value(block, b"Nats-TTL").and_then(parse_ttl_s).unwrap_or(0)
}

/// When the own time to live of a message ends that was stored at `time_ns`.
pub fn expiry_ns(time_ns: i64, ttl_s: i64) -> i64 {
    time_ns.saturating_add(ttl_s.saturating_mul(SECOND_NS))
}

/// Seconds to live: a duration or a number; -1 is for ever. `None` is not readable.
pub fn parse_ttl_s(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    match text {
        "" => Some(0),
        never if never.eq_ignore_ascii_case("never") => Some(-1),
        text => match GoDuration::parse(text) {
            Ok(GoDuration(ns)) => (ns >= SECOND_NS).then_some(ns / SECOND_NS),
            Err(_) => text::parse_i64(text.as_bytes()),
        },
    }
}

/// Whether the message marks the end of its subject, so that nothing marks its own end.
pub fn is_delete_marker(block: &[u8]) -> bool {
    headers::value(block, b"Nats-Marker-Reason").is_some_and(|reason| !reason.is_empty())
        || headers::value(block, b"KV-Operation") == Some(b"PURGE")
}

/// Whether the message replaces what came before it.
pub fn is_rollup(block: &[u8]) -> bool {
    headers::value(block, b"Nats-Rollup").is_some_and(|what| !what.is_empty())
}

/// When the message, stored at `time_ns`, is due after `now_ns` if it is a schedule.
pub fn schedule(env: &Env, block: &[u8], time_ns: i64, now_ns: i64) -> Option<i64> {
    schedule_pattern(env, block)?.next(time_ns, now_ns)
}

/// The schedule that the message is.
pub fn schedule_pattern(env: &Env, block: &[u8]) -> Option<Schedule> {
    let pattern = std::str::from_utf8(headers::value(block, b"Nats-Schedule")?).ok()?;
    let zone = match headers::value(block, b"Nats-Schedule-Time-Zone") {
        None => None,
        Some(b"") => return None,
        Some(name) => Some(Zone::named(env, std::str::from_utf8(name).ok()?)?),
    };
    Schedule::parse(pattern, zone)
}

/// The subject of the schedule that made this message.
pub fn scheduler(block: &[u8]) -> Option<&[u8]> {
    headers::value(block, b"Nats-Scheduler").filter(|subject| !subject.is_empty())
}

/// When the schedule that made this message is due again, nanoseconds since the Unix epoch.
pub fn schedule_next(block: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(headers::value(block, b"Nats-Schedule-Next")?).ok()?;
    Some(Time::parse_lenient(text).ok()?.unix_ns())
}

/// Takes a message, stored as `seq`, into the schedules of its stream; whether it is one that is due
/// after `now_ns`.
pub fn note_schedule(
    env: &Env,
    schedules: &mut Schedules,
    (seq, time_ns): (u64, i64),
    subject: &[u8],
    block: &[u8],
    now_ns: i64,
) -> bool {
    let at_ns = schedule(env, block, time_ns, now_ns);
    match at_ns {
        Some(at_ns) => schedules.set(seq, subject, at_ns),
        None if scheduler(block).is_none() => schedules.remove_subject(subject),
        None => {}
    }
    if let Some((subject, at_ns)) = scheduler(block).zip(schedule_next(block)) {
        schedules.rearm(subject, at_ns);
    }
    at_ns.is_some()
}

/// Which source the message came from, and how far it is read by that: `stream seq filter
/// transform subject [identity]`.
pub fn source(block: &[u8]) -> Option<(Vec<u8>, SourceState)> {
    let text = headers::value(block, b"Nats-Stream-Source")?;
    let fields: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
    let [stream, seq, filter, transform, rest @ ..] = &fields[..] else { return None };
    let ident = rest.get(1).map_or_else(Vec::new, |ident| ident.to_vec());
    let seq = text::parse_u64(seq)?;
    Some(([*stream, *filter, *transform].join(&b' '), SourceState { seq, ident }))
}

/// As [`source`], of a message that a server before 2.10 stored: the source's stream, and how far
/// that is read. `stream seq`, or where acknowledgements went to.
pub fn source_stream(block: &[u8]) -> Option<(&[u8], u64)> {
    let text = headers::value(block, b"Nats-Stream-Source")?;
    let is_ack = text.starts_with(b"$JS.ACK.");
    let separator = if is_ack { b'.' } else { b' ' };
    let fields: Vec<&[u8]> = text.split(|byte| *byte == separator).collect();
    let (stream, seq) = match (is_ack, &fields[..]) {
        (false, [stream, seq]) => (stream, seq),
        (true, [_, _, stream, _, _, seq, _, _, _]) => (stream, seq),
        // With domain and account.
        (true, [_, _, _, _, stream, _, _, seq, _, _, _, ..]) => (stream, seq),
        _ => return None,
    };
    Some((stream, text::parse_u64(seq)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_by_older_servers_too() {
        let block = |value: &str| format!("NATS/1.0\r\nNats-Stream-Source: {value}\r\n\r\n");
        for (value, stream, name) in [
            ("S 7 a.> b.> a.c", None, Some("S a.> b.>")),
            ("S 7 > > a ident", None, Some("S > >")),
            ("S 7", Some("S"), None),
            ("$JS.ACK.S.C.1.7.9.1700000000000000000.0", Some("S"), None),
            ("$JS.ACK.domain.hash.S.C.1.7.9.1700000000000000000.0.token", Some("S"), None),
            ("S", None, None),
            ("S x", None, None),
            ("S 7 a.>", None, None),
            ("$JS.ACK.S.C.1.7", None, None),
        ] {
            let block = block(value);
            let found = source_stream(block.as_bytes());
            assert_eq!(found, stream.map(|stream| (stream.as_bytes(), 7)), "{value}");
            let found = source(block.as_bytes());
            let found = found.map(|(name, state)| (name, state.seq));
            assert_eq!(found, name.map(|name| (name.as_bytes().to_vec(), 7)), "{value}");
        }
        assert_eq!(source_stream(b""), None);
    }
}

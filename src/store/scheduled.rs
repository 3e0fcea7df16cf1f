//! The messages that schedules make. Go: `server/scheduler.go` `getScheduledMessages`.

use super::message;
use super::schedules::Schedule;
use super::stream::{Filter, StoredMessage, StreamStore};
use crate::base::Env;
use crate::model::Time;
use crate::wire::headers;

/// A message that a schedule makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// Sequence of the schedule.
    pub seq: u64,
    /// Where it goes to.
    pub subject: Vec<u8>,
    /// Its header block, which names the schedule.
    pub headers: Vec<u8>,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The messages that are due by `now_ns`, by the sequence of their schedule. They are on their way
/// then, and not made again before they have come back as stored messages. A schedule that cannot
/// be followed is dropped.
pub fn take_due(store: &mut dyn StreamStore, env: &Env, now_ns: i64) -> Vec<Scheduled> {
    let due = store.schedules().map_or_else(Vec::new, |schedules| schedules.due(now_ns));
    let mut all = Vec::with_capacity(due.len());
    let mut schedule = StoredMessage::default();
    for (seq, at_ns) in due {
        let loaded = store.load(seq, &mut schedule).is_ok();
        let made = if loaded { make(store, env, &schedule, at_ns, now_ns) } else { None };
        let Some(schedules) = store.schedules() else { break };
        match made {
            Some(_) => schedules.mark_inflight(schedule.subject()),
            None => schedules.remove(seq),
        }
        all.extend(made);
    }
    all
}

/// The message that a schedule makes which was due at `at_ns`.
fn make(
    store: &mut dyn StreamStore,
    env: &Env,
    schedule: &StoredMessage,
    at_ns: i64,
    now_ns: i64,
) -> Option<Scheduled> {
    let asked = |key| headers::value(schedule.headers(), key).filter(|value| !value.is_empty());
    let pattern = message::schedule_pattern(env, schedule.headers())?;
    let target = asked(b"Nats-Schedule-Target")?;
    let ttl = asked(b"Nats-Schedule-TTL");
    if ttl.is_some_and(|ttl| message::parse_ttl_s(ttl).is_none()) {
        return None;
    }
    // What the message is to hold, if the schedule does not hold it itself.
    let mut found = StoredMessage::default();
    let content = match asked(b"Nats-Schedule-Source") {
        Some(source) if store.load_last(Filter::of(source), &mut found).is_ok() => &found,
        _ => schedule,
    };
    let mut block = content.headers().to_vec();
    headers::remove_prefix(&mut block, b"Nats-Schedule");
    // These could keep it from being stored.
    headers::remove_prefix(&mut block, b"Nats-Expected-");
    for key in [&b"Nats-Msg-Id"[..], b"Nats-TTL", b"Nats-Rollup"] {
        headers::remove(&mut block, key);
    }
    let next = match pattern.repeats() {
        true => next_text(&pattern, pattern.next(at_ns, now_ns)?),
        false => "purge".to_owned(),
    };
    headers::append(&mut block, b"Nats-Scheduler", schedule.subject());
    headers::append(&mut block, b"Nats-Schedule-Next", next.as_bytes());
    for (key, value) in [(&b"Nats-TTL"[..], ttl), (b"Nats-Rollup", asked(b"Nats-Schedule-Rollup"))]
    {
        value.into_iter().for_each(|value| headers::append(&mut block, key, value));
    }
    Some(Scheduled {
        seq: schedule.seq,
        subject: target.to_vec(),
        headers: block,
        payload: content.payload().to_vec(),
    })
}

/// A time as the schedule's zone writes it.
fn next_text(schedule: &Schedule, at_ns: i64) -> String {
    let offset_s = match schedule {
        Schedule::Cron(_, zone) => zone.steady(at_ns.div_euclid(1_000_000_000)).offset_s,
        _ => 0,
    };
    if offset_s == 0 {
        return Time::from_unix_ns(at_ns).to_string();
    }
    let wall_ns = at_ns.saturating_add(i64::from(offset_s) * 1_000_000_000);
    let wall = Time::from_unix_ns(wall_ns).to_string();
    let (sign, minutes) = (if offset_s < 0 { '-' } else { '+' }, offset_s.unsigned_abs() / 60);
    format!("{}{sign}{:02}:{:02}", wall.trim_end_matches('Z'), minutes / 60, minutes % 60)
}

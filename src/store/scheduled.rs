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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::zone::Zone;
    use crate::model::{StorageType, StreamConfig};
    use crate::store::memory::MemoryStore;
    use crate::store::stream::NewMessage;

    const SECOND_NS: i64 = 1_000_000_000;

    /// What a schedule with these headers makes when it is due, and how many schedules are left.
    fn made(env: &Env, lines: &str) -> (Vec<Scheduled>, usize) {
        let config = StreamConfig {
            storage: StorageType::Memory,
            allow_msg_schedules: true,
            ..StreamConfig::default()
        };
        let mut store = MemoryStore::new(env, &config).unwrap();
        let source =
            b"NATS/1.0\r\nNats-Msg-Id: 1\r\nNats-TTL: 9\r\nNats-Rollup: all\r\nA: b\r\n\r\n";
        let source =
            NewMessage { subject: b"source", headers: source, payload: b"theirs", ttl_s: 9 };
        store.store(source, 0).unwrap();
        let block = format!("NATS/1.0\r\nNats-Schedule: @every 2s\r\n{lines}\r\n");
        let headers = block.as_bytes();
        let schedule = NewMessage { subject: b"s", headers, payload: b"own", ttl_s: 0 };
        store.store(schedule, 0).unwrap();
        let made = take_due(&mut store, env, 2 * SECOND_NS);
        (made, store.schedules().unwrap().len())
    }

    fn headers(made: &[Scheduled]) -> Vec<(&[u8], &[u8])> {
        made.iter().flat_map(|made| headers::fields(&made.headers)).collect()
    }

    #[test]
    fn content_and_headers_are_as_the_schedule_asks() {
        let env = Env::simulated(1);
        let target = "Nats-Schedule-Target: t\r\n";
        let by_schedule =
            [(&b"Nats-Scheduler"[..], &b"s"[..]), (b"Nats-Schedule-Next", b"1970-01-01T00:00:04Z")];
        let (own, left) = made(&env, target);
        assert_eq!((left, own[0].seq, &own[0].subject[..]), (1, 2, &b"t"[..]));
        assert_eq!((&own[0].payload[..], headers(&own)), (&b"own"[..], by_schedule.to_vec()));

        let asks = "Nats-Schedule-Source: source\r\nNats-Schedule-TTL: 5m\r\n\
            Nats-Schedule-Rollup: sub\r\n";
        let (theirs, _) = made(&env, &format!("{target}{asks}"));
        let mut expected = vec![(&b"A"[..], &b"b"[..])];
        expected.extend(by_schedule);
        expected.extend([(&b"Nats-TTL"[..], &b"5m"[..]), (b"Nats-Rollup", b"sub")]);
        assert_eq!((&theirs[0].payload[..], headers(&theirs)), (&b"theirs"[..], expected));

        let (own, _) = made(&env, &format!("{target}Nats-Schedule-Source: none\r\n"));
        assert_eq!(own[0].payload, b"own");
    }

    #[test]
    fn a_schedule_that_cannot_be_followed_is_dropped() {
        let env = Env::simulated(1);
        for lines in ["", "Nats-Schedule-Target: t\r\nNats-Schedule-TTL: 1ms\r\n"] {
            assert_eq!(made(&env, lines), (Vec::new(), 0), "{lines}");
        }
    }

    #[test]
    fn the_next_time_is_written_in_the_zone_of_the_schedule() {
        let Some(zone) = Zone::named(&Env::os(), "America/New_York") else { return };
        let daily = Schedule::parse("@daily", Some(zone)).unwrap();
        let at_ns = Time::parse("2026-07-01T04:00:00Z").unwrap().unix_ns();
        assert_eq!(next_text(&daily, at_ns), "2026-07-01T00:00:00-04:00");
        let utc = Schedule::parse("@daily", None).unwrap();
        assert_eq!(next_text(&utc, at_ns), "2026-07-01T04:00:00Z");
    }
}

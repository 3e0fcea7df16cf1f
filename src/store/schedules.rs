//! Messages that are schedules: when each is due, and how a pattern is read.
//! Go: `server/scheduler.go`.

use crate::base::codec::{Cursor, put_uvarint, put_varint};
use crate::base::duration::GoDuration;
use crate::base::zone::Zone;
use crate::ds::cron::Cron;
use crate::ds::expiries::Expiries;
use crate::ds::state_file::{self, DecodeError};
use crate::model::Time;
use std::collections::HashMap;
use std::sync::Arc;

const SECOND_NS: i64 = 1_000_000_000;
/// However soon something is due, ingest is not disturbed more often than this.
const PAUSE_NS: i64 = 250_000_000;

/// When a message is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Once: `@at 2006-01-02T15:04:05Z`. Nanoseconds since the Unix epoch.
    At(i64),
    /// Again and again after so many nanoseconds: `@every 1m30s`.
    Every(i64),
    /// Whenever the clocks of a zone match: six fields, or `@daily` and the like.
    Cron(Cron, Zone),
}

impl Schedule {
    /// Reads a pattern, in UTC unless a zone is given. `None` if it is none, if it comes more often
    /// than every second, or if a zone is given where it means nothing.
    pub fn parse(pattern: &str, zone: Option<Zone>) -> Option<Self> {
        if let Some(time) = pattern.strip_prefix("@at ") {
            let time = Time::parse_lenient(time).ok().filter(|_| zone.is_none())?;
            return Some(Self::At(time.unix_ns()));
        }
        if let Some(interval) = pattern.strip_prefix("@every ") {
            let GoDuration(interval) =
                GoDuration::parse(interval).ok().filter(|_| zone.is_none())?;
            return (interval >= SECOND_NS).then_some(Self::Every(interval));
        }
        let fields = match pattern {
            "@yearly" | "@annually" => "0 0 0 1 1 *",
            "@monthly" => "0 0 0 1 * *",
            "@weekly" => "0 0 0 * * 0",
            "@daily" | "@midnight" => "0 0 0 * * *",
            "@hourly" => "0 0 * * * *",
            fields => fields,
        };
        Some(Self::Cron(Cron::parse(fields).ok()?, zone.unwrap_or_else(Zone::utc)))
    }

    /// Whether there is another time after each.
    pub fn repeats(&self) -> bool {
        !matches!(self, Self::At(_))
    }

    /// The time after `last_ns`. Times that have passed by `now_ns` are skipped, so that what was
    /// missed is made up for once. None if a pattern does not match for years.
    pub fn next(&self, last_ns: i64, now_ns: i64) -> Option<i64> {
        let after = |from_ns: i64| match self {
            Self::At(at_ns) => Some(*at_ns),
            Self::Every(interval) => Some(whole_second(from_ns).saturating_add(*interval)),
            Self::Cron(cron, zone) => cron.next(from_ns, zone),
        };
        match after(last_ns)? {
            missed if missed < now_ns && self.repeats() => after(whole_second(now_ns)),
            next => Some(next),
        }
    }
}

/// The whole second that is nearest; the later of two.
fn whole_second(ns: i64) -> i64 {
    ns.saturating_add(SECOND_NS / 2).div_euclid(SECOND_NS).saturating_mul(SECOND_NS)
}

/// The schedules of a stream: one a subject, its last message.
#[derive(Debug, Default)]
pub struct Schedules {
    by_subject: HashMap<Arc<[u8]>, Entry>,
    by_seq: HashMap<u64, Arc<[u8]>>,
    /// All of them by time.
    times: Expiries,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    seq: u64,
    at_ns: i64,
    /// Its message has been handed out and not come back.
    inflight: bool,
}

impl Schedules {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_subject.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_subject.is_empty()
    }

    /// Sequence and time of a subject's schedule.
    pub fn of_subject(&self, subject: &[u8]) -> Option<(u64, i64)> {
        self.by_subject.get(subject).map(|entry| (entry.seq, entry.at_ns))
    }

    /// Message `seq` is its subject's schedule, and due at `at_ns`.
    pub fn set(&mut self, seq: u64, subject: &[u8], at_ns: i64) {
        self.remove_subject(subject);
        self.remove(seq);
        let subject: Arc<[u8]> = subject.into();
        self.by_seq.insert(seq, subject.clone());
        self.by_subject.insert(subject, Entry { seq, at_ns, inflight: false });
        self.times.add(seq, at_ns);
    }

    /// The subject's schedule has come back and is due again at `at_ns`; false if there is none.
    pub fn rearm(&mut self, subject: &[u8], at_ns: i64) -> bool {
        let Some(entry) = self.by_subject.get_mut(subject) else { return false };
        self.times.update(entry.seq, entry.at_ns, at_ns);
        *entry = Entry { seq: entry.seq, at_ns, inflight: false };
        true
    }

    /// Message `seq` is gone, and its schedule if it was one.
    pub fn remove(&mut self, seq: u64) {
        if let Some(subject) = self.by_seq.get(&seq).cloned() {
            self.remove_subject(&subject);
        }
    }

    /// The subject's schedule is gone.
    pub fn remove_subject(&mut self, subject: &[u8]) {
        if let Some(entry) = self.by_subject.remove(subject) {
            self.by_seq.remove(&entry.seq);
            self.times.remove(entry.seq, entry.at_ns);
        }
    }

    /// The messages that are due by `now_ns` and not in flight, by sequence: sequence and time.
    /// They stay due until they are marked, rearmed or removed.
    pub fn due(&self, now_ns: i64) -> Vec<(u64, i64)> {
        let idle = |seq| {
            let entry = self.by_seq.get(&seq).and_then(|subject| self.by_subject.get(subject));
            entry.is_some_and(|entry| !entry.inflight)
        };
        let mut due: Vec<_> = self.times.due(now_ns).filter(|(seq, _)| idle(*seq)).collect();
        due.sort_unstable();
        due
    }

    /// The subject's scheduled message is on its way; it is not due again before it has come back.
    pub fn mark_inflight(&mut self, subject: &[u8]) {
        if let Some(entry) = self.by_subject.get_mut(subject) {
            entry.inflight = true;
        }
    }

    /// Whether the subject's scheduled message is on its way.
    pub fn is_inflight(&self, subject: &[u8]) -> bool {
        self.by_subject.get(subject).is_some_and(|entry| entry.inflight)
    }

    /// What was on its way will not come back: another server leads.
    pub fn clear_inflight(&mut self) {
        self.by_subject.values_mut().for_each(|entry| entry.inflight = false);
    }

    /// When to look for what is due, if at `now_ns` one is to look at `armed_ns` or not at all.
    /// Not at once, and not later than was to be: else who adds schedules all the time would
    /// put it off for ever.
    pub fn wake_up(&self, now_ns: i64, armed_ns: Option<i64>) -> Option<i64> {
        let next = self.times.next()?.max(now_ns.saturating_add(PAUSE_NS));
        Some(armed_ns.map_or(next, |armed| armed.min(next)))
    }

    /// The bytes of `sched.db`: a [`state_file`] with the subject after its length in two bytes, a
    /// varint of the time and a uvarint of the sequence for each.
    pub fn encode(&self, high_seq: u64) -> Vec<u8> {
        let mut out = state_file::begin(self.len(), high_seq);
        for (seq, at_ns) in self.times.iter() {
            let subject = self.by_seq.get(&seq).map_or(&[][..], |subject| subject);
            // No client can send a longer one.
            let len = u16::try_from(subject.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(&subject[..usize::from(len)]);
            put_varint(&mut out, at_ns);
            put_uvarint(&mut out, seq);
        }
        out
    }

    /// What [`Schedules::encode`], or upstream, wrote, and the high sequence with it.
    ///
    /// # Errors
    /// When the bytes are not that.
    pub fn decode(bytes: &[u8]) -> Result<(Self, u64), DecodeError> {
        let mut schedules = Self::new();
        let high_seq = state_file::read(bytes, |cursor| schedules.decode_entry(cursor))?;
        Ok((schedules, high_seq))
    }

    fn decode_entry(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let len = cursor.u16()?;
        let subject = cursor.bytes(usize::from(len))?;
        let (at_ns, seq) = (cursor.varint()?, cursor.uvarint()?);
        self.set(seq, subject, at_ns);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn patterns_that_are_none() {
        for pattern in [
            "",
            "@at",
            "@at now",
            "@at 2026-01-01",
            "@every 999ms",
            "@every 5",
            "@every -5s",
            "@every",
            "@never",
            "@Daily",
            "* * * * *",
        ] {
            assert_eq!(Schedule::parse(pattern, None), None, "{pattern}");
        }
        for pattern in ["@at 2026-01-01T00:00:00Z", "@every 5s"] {
            assert!(Schedule::parse(pattern, None).is_some());
            assert_eq!(Schedule::parse(pattern, Some(Zone::utc())), None);
        }
        assert!(Schedule::parse("@hourly", Some(Zone::utc())).is_some());
    }

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        for (ns, second) in
            [(0, 0), (499_999_999, 0), (500_000_000, 1), (-500_000_000, 0), (-500_000_001, -1)]
        {
            assert_eq!(whole_second(ns), second * SECOND_NS);
        }
        assert!(whole_second(i64::MAX) > 0 && whole_second(i64::MIN) < 0);
    }

    #[test]
    fn looks_no_later_than_was_to_be() {
        let mut schedules = Schedules::new();
        assert_eq!(schedules.wake_up(0, None), None);
        schedules.set(1, b"a", 2 * SECOND_NS);
        assert_eq!(schedules.wake_up(0, None), Some(2 * SECOND_NS));
        assert_eq!(schedules.wake_up(0, Some(3 * SECOND_NS)), Some(2 * SECOND_NS));
        assert_eq!(schedules.wake_up(0, Some(SECOND_NS)), Some(SECOND_NS));
        assert_eq!(schedules.wake_up(9 * SECOND_NS, None), Some(9 * SECOND_NS + PAUSE_NS));
    }

    /// What a model of subjects to sequence, time and whether they are in flight expects.
    fn check(schedules: &Schedules, model: &BTreeMap<Vec<u8>, (u64, i64, bool)>) {
        assert_eq!(schedules.len(), model.len());
        assert_eq!(schedules.by_seq.len(), model.len());
        assert_eq!(schedules.times.len(), model.len());
        for (subject, (seq, at, inflight)) in model {
            assert_eq!(schedules.of_subject(subject), Some((*seq, *at)));
            assert_eq!(schedules.is_inflight(subject), *inflight);
        }
        let due = model.values().filter(|(_, at, inflight)| *at <= 20 && !inflight);
        let mut due: Vec<_> = due.map(|(seq, at, _)| (*seq, *at)).collect();
        due.sort_unstable();
        assert_eq!(schedules.due(20), due);
    }

    proptest! {
        #[test]
        fn follows_a_map(
            steps in prop::collection::vec((0..7u8, "[a-d]", 1..8u64, 0..40i64), 0..60),
            cut in any::<prop::sample::Index>(), high: u64,
        ) {
            let mut schedules = Schedules::new();
            let mut model = BTreeMap::<Vec<u8>, (u64, i64, bool)>::new();
            for (what, subject, seq, at) in steps {
                let subject = subject.into_bytes();
                match what {
                    0 => {
                        schedules.remove(seq);
                        model.retain(|_, (known, ..)| *known != seq);
                    }
                    1 => {
                        schedules.remove_subject(&subject);
                        model.remove(&subject);
                    }
                    2 => {
                        schedules.mark_inflight(&subject);
                        model.entry(subject).and_modify(|entry| entry.2 = true);
                    }
                    3 => {
                        prop_assert_eq!(schedules.rearm(&subject, at), model.contains_key(&subject));
                        model.entry(subject).and_modify(|entry| *entry = (entry.0, at, false));
                    }
                    4 => {
                        schedules.clear_inflight();
                        model.values_mut().for_each(|entry| entry.2 = false);
                    }
                    _ => {
                        schedules.set(seq, &subject, at);
                        model.retain(|_, (known, ..)| *known != seq);
                        model.insert(subject, (seq, at, false));
                    }
                }
                check(&schedules, &model);
            }
            let bytes = schedules.encode(high);
            let (again, stamp) = Schedules::decode(&bytes).unwrap();
            model.values_mut().for_each(|entry| entry.2 = false);
            check(&again, &model);
            prop_assert_eq!(stamp, high);
            let cut = cut.index(bytes.len());
            let error = if cut < state_file::HEADER_LEN { DecodeError::Header } else { DecodeError::Entries };
            prop_assert_eq!(Schedules::decode(&bytes[..cut]).unwrap_err(), error);
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let _ = Schedules::decode(&damaged);
            }
        }
    }
}

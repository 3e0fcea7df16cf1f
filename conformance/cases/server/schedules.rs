//! Schedules: patterns, and the table of a stream.

use nats_server::base::Env;
use nats_server::base::zone::Zone;
use nats_server::ds::state_file::DecodeError;
use nats_server::model::Time;
use nats_server::store::schedules::{Schedule, Schedules};

crate::cases! {
    "server/filestore_test.go",
    library encode_decode => ["TestFileStoreMessageScheduleEncodeDecode"],
    library decode_rejects_malformed => ["TestFileStoreMessageScheduleDecodeRejectsMalformed"],
    library patterns => ["server/jetstream_test.go::TestJetStreamScheduledMessageParse"],
}

const SECOND: i64 = 1_000_000_000;
/// 2026-11-24T12:00:00Z.
const NOW: i64 = 1_795_521_600 * SECOND;

fn encode_decode() {
    let mut schedules = Schedules::new();
    for seq in 0..100_000 {
        schedules.set(seq, format!("foo.{seq}").as_bytes(), NOW + seq as i64 * SECOND);
    }
    let bytes = schedules.encode(12_345);
    assert!(bytes.len() > 17);
    let (decoded, high_seq) = Schedules::decode(&bytes).unwrap();
    assert_eq!((high_seq, decoded.len()), (12_345, 100_000));
    assert_eq!(decoded.wake_up(NOW, None), schedules.wake_up(NOW, None));
    for seq in 0..100_000 {
        let subject = format!("foo.{seq}");
        let expected = Some((seq, NOW + seq as i64 * SECOND));
        assert_eq!(decoded.of_subject(subject.as_bytes()), expected);
    }
    assert_eq!(decoded.due(i64::MAX), schedules.due(i64::MAX));
}

fn decode_rejects_malformed() {
    let header = |version: u8, count: u64| {
        let mut bytes = vec![version];
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes
    };
    let cut = |more: &[u8]| [&header(1, 1)[..], more].concat();
    for (bytes, error) in [
        (vec![0; 16], DecodeError::Header),
        (header(2, 0), DecodeError::Version(2)),
        // Without the length of the subject, half of it, the subject, the time, the sequence.
        (cut(&[]), DecodeError::Entries),
        (cut(&[5]), DecodeError::Entries),
        (cut(&[5, 0]), DecodeError::Entries),
        (cut(&[3, 0, b'f', b'o', b'o']), DecodeError::Entries),
        (cut(&[3, 0, b'f', b'o', b'o', 0xf2, 0xc0, 0x01]), DecodeError::Entries),
    ] {
        assert_eq!(Schedules::decode(&bytes).unwrap_err(), error, "{bytes:?}");
    }
    assert!(Schedules::decode(&cut(&[3, 0, b'f', b'o', b'o', 2, 1])).is_ok());
}

fn patterns() {
    at();
    every();
    cron();
    predefined();
    cron_in_a_zone();
}

fn schedule(pattern: &str) -> Schedule {
    Schedule::parse(pattern, None).expect(pattern)
}

fn at() {
    let at = schedule("@at 2026-11-24T12:00:00.123456789Z");
    assert!(!at.repeats());
    // Whether or not it has passed.
    assert_eq!(at.next(0, 0), Some(NOW + 123_456_789));
    assert_eq!(at.next(0, NOW + SECOND), Some(NOW + 123_456_789));
}

fn every() {
    let five = schedule("@every 5s");
    assert!(five.repeats());
    assert_eq!(five.next(NOW, NOW), Some(NOW + 5 * SECOND));
    // What was missed for long comes once.
    assert_eq!(five.next(0, NOW), Some(NOW + 5 * SECOND));
    assert_eq!(Schedule::parse("@every 999ms", None), None);
    // From the nearest whole second, again and again.
    let odd = schedule("@every 1500ms");
    let start = NOW + SECOND + 400_000_000;
    let first = odd.next(start, NOW).unwrap();
    assert_eq!(first, NOW + SECOND + 1_500_000_000);
    assert_eq!(odd.next(first, NOW), Some(NOW + 3 * SECOND + 1_500_000_000));
}

fn cron() {
    let always = schedule("* * * * * *");
    assert!(always.repeats());
    assert_eq!(always.next(NOW, NOW), Some(NOW + SECOND));
    // The earliest whole second.
    assert_eq!(always.next(NOW + SECOND - 1, NOW), Some(NOW + SECOND));
    assert_eq!(always.next(0, NOW), Some(NOW + SECOND));
}

fn predefined() {
    for (pattern, next) in [
        ("@yearly", "2029-01-01T00:00:00Z"),
        ("@annually", "2029-01-01T00:00:00Z"),
        ("@monthly", "2028-02-01T00:00:00Z"),
        // The first day of 2028 is a Saturday.
        ("@weekly", "2028-01-02T00:00:00Z"),
        ("@daily", "2028-01-02T00:00:00Z"),
        ("@midnight", "2028-01-02T00:00:00Z"),
        ("@hourly", "2028-01-01T01:00:00Z"),
    ] {
        let last = Time::parse("2028-01-01T00:00:00Z").unwrap().unix_ns();
        let schedule = schedule(pattern);
        assert!(schedule.repeats());
        let found = schedule.next(last, NOW).map(|ns| Time::from_unix_ns(ns).to_string());
        assert_eq!(found.as_deref(), Some(next), "{pattern}");
    }
}

fn cron_in_a_zone() {
    let Some(zone) = Zone::named(&Env::os(), "Europe/Amsterdam") else {
        return;
    };
    let at_noon = Schedule::parse("0 0 12 * * *", Some(zone.clone())).unwrap();
    let noon = Time::parse("2026-11-25T12:00:00+01:00").unwrap().unix_ns();
    assert_eq!(at_noon.next(NOW, NOW), Some(noon));
    let always = Schedule::parse("* * * * * *", Some(zone)).unwrap();
    assert_eq!(always.next(NOW, NOW), Some(NOW + SECOND));
}

//! What goes into a memory store, and what goes out of it again.

use super::kinds::{NOW, SECOND, filter, memory, subjects};
use nats_server::base::Env;
use nats_server::base::duration::GoDuration;
use nats_server::model::{DiscardPolicy, StreamConfig, Time};
use nats_server::store::scheduled::{self, Scheduled};
use nats_server::store::stream::{Filter, NewMessage, StoreError};
use nats_server::wire::headers;

crate::cases! {
    "server/memstore_test.go",
    library basics => ["TestMemStoreBasics"],
    library message_limit => ["TestMemStoreMsgLimit"],
    library bytes_limit => ["TestMemStoreBytesLimit"],
    library bytes_limit_refuses => ["TestMemStoreBytesLimitWithDiscardNew"],
    library age_limit => ["TestMemStoreAgeLimit"],
    library time_stamps => ["TestMemStoreTimeStamps"],
    library purge => ["TestMemStorePurge"],
    library compact => ["TestMemStoreCompact"],
    library erase => ["TestMemStoreEraseMsg"],
    library message_headers => ["TestMemStoreMsgHeaders"],
    library deleted_in_the_state => ["TestMemStoreStreamStateDeleted"],
    library truncate => ["TestMemStoreStreamTruncate"],
    library purge_of_a_subject => ["TestMemStorePurgeExWithSubject"],
    library messages_per_subject => ["TestMemStoreUpdateMaxMsgsPerSubject"],
    library truncate_to_nothing => ["TestMemStoreStreamTruncateReset"],
    library compact_forgets_subjects => ["TestMemStoreStreamCompactMultiBlockSubjectInfo"],
    library first_sequence => ["TestMemStoreInitialFirstSeq"],
    library deleted_for_replicas => ["TestMemStoreDeleteBlocks"],
    library skip => ["TestMemStoreSkipMsgs"],
    library purge_up_to_a_deleted_message => ["TestMemStorePurgeExWithDeletedMsgs"],
    library first_sequence_after_all_are_deleted => ["TestMemStoreDeleteAllFirstSequenceCheck"],
    library purge_forgets_what_was_deleted => ["TestMemStorePurgeLeaksDmap"],
    library time_to_live => ["TestMemStoreMessageTTL"],
    library delete_markers => ["TestMemStoreSubjectDeleteMarkers"],
    library time_to_live_is_allowed_and_not => ["TestMemStoreUpdateConfigTTLState"],
    library schedule => ["TestMemStoreMessageSchedule"],
    library schedule_below_a_second => ["TestMemStoreMessageScheduleEverySubSecondPrecision"],
}

const HELLO: &[u8] = b"Hello World";

fn message<'a>(subject: &'a str, payload: &'a [u8]) -> NewMessage<'a> {
    NewMessage { subject: subject.as_bytes(), payload, ..NewMessage::default() }
}

fn basics() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&subjects(&[]));
    assert_eq!(stream.put_payload("foo", HELLO), 1);
    let state = stream.state();
    assert_eq!((state.messages, state.bytes), (1, 3 + 11 + 16));
    assert_eq!(state.last_ts, Time::from_unix_ns(stream.now));
    let found = stream.load(1).unwrap();
    assert_eq!((found.subject(), found.payload()), (&b"foo"[..], HELLO));
    assert_eq!(found.time_ns, stream.now);
}

fn message_limit() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&StreamConfig { max_msgs: 10, ..subjects(&[]) });
    (0..10).for_each(|_| _ = stream.put_payload("foo", HELLO));
    assert_eq!(stream.span(), (10, 1, 10));
    stream.put_payload("foo", HELLO);
    assert_eq!(stream.span(), (10, 2, 11));
    assert!(matches!(stream.load(1), Err(StoreError::NotFound)));
}

fn bytes_limit() {
    crate::exercises!("gap_areas", "1.9");
    let size = 3 + 512 + 16;
    let max_bytes = size * 1024;
    let mut stream = memory(&StreamConfig { max_bytes: max_bytes as i64, ..subjects(&[]) });
    (0..1024).for_each(|_| _ = stream.put_payload("foo", &[0; 512]));
    assert_eq!(stream.span(), (1024, 1, 1024));
    assert_eq!(stream.state().bytes, max_bytes);
    (0..10).for_each(|_| _ = stream.put_payload("foo", &[0; 512]));
    assert_eq!(stream.span(), (1024, 11, 1034));
    assert_eq!(stream.state().bytes, max_bytes);
}

fn bytes_limit_refuses() {
    crate::exercises!("gap_areas", "1.9");
    let config = StreamConfig { max_bytes: 100, discard: DiscardPolicy::New, ..subjects(&[]) };
    let mut stream = memory(&config);
    for n in 0..10 {
        let stored = stream.try_put(message("tiny", &[0; 7]));
        match n {
            0..3 => assert_eq!(stored.unwrap(), n + 1),
            _ => assert!(matches!(stored, Err(StoreError::MaxBytes))),
        }
    }
    assert_eq!(stream.span(), (3, 1, 3));
    assert_eq!(stream.state().bytes, 3 * (4 + 7 + 16));
}

fn age_limit() {
    crate::exercises!("gap_areas", "1.9");
    let max_age = SECOND / 100;
    let mut stream = memory(&StreamConfig { max_age: GoDuration(max_age), ..subjects(&[]) });
    for round in 1..=2 {
        for _ in 0..100 {
            // All of them at once.
            stream.store.store(message("foo", HELLO), stream.now).unwrap();
        }
        assert_eq!(stream.state().messages, 100);
        stream.wait(max_age - 1);
        assert_eq!(stream.state().messages, 100);
        stream.wait(1);
        assert_eq!(stream.span(), (0, round * 100 + 1, round * 100));
        assert_eq!(stream.state().bytes, 0);
        assert_eq!(stream.store.expire(stream.now).unwrap(), None);
    }
}

fn time_stamps() {
    let mut stream = memory(&subjects(&[]));
    for after in 1..=10 {
        stream.store.store(message("foo", HELLO), NOW + after).unwrap();
    }
    let times = (1..=10).map(|seq| stream.load(seq).unwrap().time_ns);
    assert!(times.eq((1..=10).map(|after| NOW + after)));
}

fn purge() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&subjects(&[]));
    (0..10).for_each(|_| _ = stream.put_payload("foo", HELLO));
    assert_eq!(stream.state().messages, 10);
    stream.effects();
    assert_eq!(stream.store.purge().unwrap(), 10);
    assert_eq!(stream.span(), (0, 11, 10));
    let effects = stream.effects();
    assert_eq!((effects.messages, effects.bytes), (-10, -300));
}

fn compact() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&subjects(&[]));
    (0..10).for_each(|_| _ = stream.put_payload("foo", HELLO));
    assert_eq!(stream.store.compact(6).unwrap(), 5);
    assert_eq!(stream.span(), (5, 6, 10));
    // Beyond the last one the next one is meant.
    assert_eq!(stream.store.compact(100).unwrap(), 5);
    assert_eq!(stream.span(), (0, 100, 99));
    assert_eq!(stream.put("foo"), 100);
}

fn erase() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&subjects(&[]));
    stream.put_payload("foo", HELLO);
    assert_eq!(stream.load(1).unwrap().payload(), HELLO);
    assert!(stream.store.erase(1).unwrap());
    assert!(matches!(stream.load(1), Err(StoreError::NotFound)));
    assert!(!stream.store.erase(1).unwrap());
}

fn message_headers() {
    let mut stream = memory(&subjects(&[]));
    let headers = b"name:derek";
    stream.try_put(NewMessage { headers, ..message("foo", HELLO) }).unwrap();
    assert_eq!(stream.state().bytes, 3 + 10 + 11 + 16);
    let found = stream.load(1).unwrap();
    assert_eq!((found.headers(), found.payload()), (&headers[..], HELLO));
    assert!(stream.store.erase(1).unwrap());
}

fn deleted_in_the_state() {
    let mut stream = memory(&subjects(&[]));
    stream.put_many("foo", 10);
    assert!(stream.state().deleted.is_empty());
    stream.remove([2, 4, 6, 8]);
    assert_eq!(stream.state().deleted, [2, 4, 6, 8]);
    // What is before the first one is not among them.
    stream.remove([1, 3]);
    assert_eq!(stream.state().deleted, [6, 8]);
    assert_eq!(stream.state().first_seq, 5);
    stream.store.purge().unwrap();
    assert!(stream.state().deleted.is_empty());
}

fn truncate() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&subjects(&[]));
    stream.put_many("foo", 49);
    stream.put_many("bar", 51);
    assert_eq!(stream.state().num_subjects, 2);
    stream.store.truncate(50, stream.now).unwrap();
    assert_eq!(stream.span(), (50, 1, 50));
    stream.remove([10, 20, 30, 40]);
    stream.store.truncate(25, stream.now).unwrap();
    assert_eq!(stream.span(), (23, 1, 25));
    let state = stream.state();
    assert_eq!((state.num_subjects, &state.deleted[..]), (1, &[10, 20][..]));
    assert_eq!(state.last_ts, Time::from_unix_ns(stream.load(25).unwrap().time_ns));
    assert_eq!(stream.put("foo"), 26);
}

fn purge_of_a_subject() {
    crate::exercises!("gap_areas", "4.5");
    let mut stream = memory(&subjects(&[]));
    stream.put_many("foo", 100);
    assert_eq!(stream.store.purge_ex(filter("foo"), 0, 0).unwrap(), 100);
    assert_eq!(stream.span(), (0, 101, 100));
}

fn messages_per_subject() {
    crate::exercises!("gap_areas", "1.9");
    let config = StreamConfig { max_msgs_per_subject: 10, ..subjects(&["foo"]) };
    let mut stream = memory(&config);
    stream.update(|config| config.max_msgs_per_subject = 50);
    stream.put_many("foo", 22);
    assert_eq!(stream.subject("foo").messages, 22);
    stream.update(|config| config.max_msgs_per_subject = 10);
    assert_eq!(stream.subject("foo").messages, 10);
    assert_eq!(stream.span(), (10, 13, 22));
}

fn truncate_to_nothing() {
    let mut stream = memory(&subjects(&["foo"]));
    (0..1000).for_each(|_| _ = stream.put_payload("foo", HELLO));
    stream.store.truncate(0, stream.now).unwrap();
    let state = stream.state();
    assert_eq!(stream.span(), (0, 0, 0));
    assert_eq!((state.bytes, state.num_subjects, state.num_deleted), (0, 0, 0));
    (0..1000).for_each(|_| _ = stream.put_payload("foo", HELLO));
    let state = stream.state();
    assert_eq!(stream.span(), (1000, 1, 1000));
    assert_eq!((state.bytes, state.num_subjects, state.num_deleted), (30_000, 1, 0));
}

fn compact_forgets_subjects() {
    let mut stream = memory(&subjects(&["foo.*"]));
    (0..1000).for_each(|n| _ = stream.put_payload(&format!("foo.{n}"), HELLO));
    assert_eq!(stream.store.compact(501).unwrap(), 500);
    assert_eq!(stream.state().num_subjects, 500);
    assert_eq!((stream.last("foo.499"), stream.last("foo.500")), (None, Some(501)));
}

fn first_sequence() {
    let mut stream = memory(&StreamConfig { first_seq: 1000, ..subjects(&[]) });
    assert_eq!(stream.put_payload("A", b"OK"), 1000);
    assert_eq!(stream.put_payload("B", b"OK"), 1001);
    assert_eq!(stream.span(), (2, 1000, 1001));
}

fn deleted_for_replicas() {
    let mut stream = memory(&subjects(&["*"]));
    (0..10_000).for_each(|_| _ = stream.put_payload("A", b"OK"));
    // Half of them, all over the stream.
    stream.remove((0..10_000).map(|n| n * 7919 % 10_000 + 1).take(5000));
    let state = stream.state();
    assert_eq!(state.messages, 5000);
    assert_eq!(stream.deleted_blocks(), state.deleted);
    assert_eq!(stream.store.fast_state().num_deleted, state.deleted.len() as u64);
}

fn skip() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&subjects(&["*"]));
    let skipped = stream.store.skip_many(10, 100, NOW);
    assert!(matches!(skipped, Err(StoreError::SequenceMismatch)));
    stream.store.skip_many(1, 100, NOW).unwrap();
    assert_eq!(stream.span(), (0, 101, 100));
    stream.store.skip_many(101, 100_000, NOW).unwrap();
    assert_eq!(stream.span(), (0, 100_101, 100_100));

    // Behind a message they are deleted ones.
    let mut stream = memory(&subjects(&["*"]));
    stream.put("foo");
    stream.store.skip_many(2, 10, NOW).unwrap();
    assert_eq!(stream.span(), (1, 1, 11));
    assert!(stream.state().deleted.into_iter().eq(2..=11));
    assert_eq!(stream.store.fast_state().num_deleted, 10);
}

fn purge_up_to_a_deleted_message() {
    crate::exercises!("gap_areas", "4.5");
    let mut stream = memory(&subjects(&["foo"]));
    stream.put_many("foo", 10);
    stream.remove([2, 9]);
    assert_eq!(stream.store.purge_ex(Filter::All, 9, 0).unwrap(), 7);
    assert_eq!(stream.span(), (1, 10, 10));
}

fn first_sequence_after_all_are_deleted() {
    let mut stream = memory(&subjects(&["foo"]));
    stream.put_many("foo", 10);
    stream.remove(1..=10);
    assert_eq!(stream.span(), (0, 11, 10));
}

fn purge_forgets_what_was_deleted() {
    let mut stream = memory(&subjects(&["foo"]));
    stream.put_many("foo", 10);
    stream.remove(2..=9);
    assert_eq!(stream.deleted_blocks().len(), 8);
    assert_eq!(stream.store.purge().unwrap(), 2);
    assert!(stream.deleted_blocks().is_empty());
    stream.put("foo");
    assert!(stream.deleted_blocks().is_empty());
}

fn time_to_live() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&StreamConfig { allow_msg_ttl: true, ..subjects(&["test"]) });
    (0..10).for_each(|_| _ = stream.put_ttl("test", 1));
    assert_eq!(stream.span(), (10, 1, 10));
    stream.wait(SECOND / 2);
    assert_eq!(stream.span(), (10, 1, 10));
    stream.wait(SECOND / 2);
    assert_eq!(stream.span(), (0, 11, 10));
}

fn delete_markers() {
    crate::exercises!("gap_areas", "1.9");
    let mut stream = memory(&StreamConfig {
        max_age: GoDuration(SECOND),
        allow_msg_ttl: true,
        subject_delete_marker_ttl: GoDuration(SECOND),
        ..subjects(&["test"])
    });
    stream.put_many("test", 3);
    stream.wait(SECOND + SECOND / 2);
    // The owner removes the messages, the last one with a marker in its place.
    let effects = stream.effects();
    let asked: Vec<_> =
        effects.expired.iter().map(|expired| (expired.seq, expired.marker)).collect();
    assert_eq!(asked, [(1, false), (2, false), (3, true)]);
    assert!(effects.expired.iter().all(|expired| &*expired.subject == b"test"));
    assert_eq!(stream.state().messages, 3);
    stream.remove([1, 2]);
    let marker = b"NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: 1s\r\n\r\n";
    let marker = NewMessage { headers: marker, ttl_s: 1, ..message("test", b"") };
    stream.try_put(marker).unwrap();
    stream.remove([3]);
    // Nothing marks the end of a marker.
    stream.wait(SECOND + SECOND / 2);
    let effects = stream.effects();
    let asked = effects.expired.iter().map(|expired| (expired.seq, expired.marker));
    assert!(asked.eq([(4, false)]));
}

fn time_to_live_is_allowed_and_not() {
    let mut stream = memory(&subjects(&[">"]));
    let headers = b"NATS/1.0\r\nNats-TTL: 1\r\n\r\n";
    let new = NewMessage { headers, ttl_s: 1, ..message("test", b"") };
    stream.try_put(new).unwrap();
    assert_eq!(stream.store.expire(stream.now).unwrap(), None);
    stream.update(|config| config.allow_msg_ttl = true);
    assert_eq!(stream.store.expire(stream.now).unwrap(), Some(stream.now + SECOND));
    stream.update(|config| config.allow_msg_ttl = false);
    stream.wait(2 * SECOND);
    assert_eq!(stream.span(), (1, 1, 1));
}

fn schedule() {
    crate::exercises!("gap_areas", "1.9");
    let config = StreamConfig { allow_msg_schedules: true, ..subjects(&["foo.*"]) };
    let mut stream = memory(&config);
    let at = Time::from_unix_ns(NOW + SECOND);
    let headers = format!(
        "NATS/1.0\r\nNats-Schedule: @at {at}\r\nNats-Schedule-Target: foo.target\r\n\
         Nats-Msg-Id: 1\r\nNats-Expected-Last-Sequence: 0\r\nKeep: it\r\n\r\n"
    );
    let new = NewMessage { headers: headers.as_bytes(), ..message("foo.schedule", HELLO) };
    stream.try_put(new).unwrap();
    let env = Env::simulated(1);
    assert_eq!(scheduled::take_due(&mut *stream.store, &env, NOW + SECOND - 1), []);
    let made = scheduled::take_due(&mut *stream.store, &env, NOW + SECOND);
    let headers = b"NATS/1.0\r\nKeep: it\r\nNats-Scheduler: foo.schedule\r\n\
        Nats-Schedule-Next: purge\r\n\r\n";
    let expected = Scheduled {
        seq: 1,
        subject: b"foo.target".to_vec(),
        headers: headers.to_vec(),
        payload: HELLO.to_vec(),
    };
    assert_eq!(made, [expected]);
    // It is on its way, until another leader says otherwise.
    assert_eq!(scheduled::take_due(&mut *stream.store, &env, NOW + 2 * SECOND), []);
    stream.store.reset_state();
    assert_eq!(scheduled::take_due(&mut *stream.store, &env, NOW + 2 * SECOND).len(), 1);
}

fn schedule_below_a_second() {
    let config = StreamConfig { allow_msg_schedules: true, ..subjects(&["foo.*"]) };
    let mut stream = memory(&config);
    let headers =
        b"NATS/1.0\r\nNats-Schedule: @every 1500ms\r\nNats-Schedule-Target: foo.target\r\n\r\n";
    stream.put_headers("foo.schedule", headers);
    let env = Env::simulated(1);
    // A millisecond past the second, which is rounded away.
    let first = NOW + SECOND + SECOND / 2;
    assert_eq!(scheduled::take_due(&mut *stream.store, &env, first - 1), []);
    let made = scheduled::take_due(&mut *stream.store, &env, first);
    let [made] = &made[..] else { panic!("{made:?}") };
    let header = |key: &[u8]| headers::value(&made.headers, key).unwrap().to_vec();
    assert_eq!(
        (&made.subject[..], &header(b"Nats-Scheduler")[..]),
        (&b"foo.target"[..], &b"foo.schedule"[..])
    );
    // The half second is rounded up, and another second and a half added.
    let next = Time::parse(std::str::from_utf8(&header(b"Nats-Schedule-Next")).unwrap()).unwrap();
    assert_eq!(next.unix_ns(), NOW + 3 * SECOND + SECOND / 2);
    // Stored, it sets the schedule anew.
    let new = NewMessage { headers: &made.headers, ..message("foo.target", b"") };
    stream.try_put(new).unwrap();
    assert_eq!(scheduled::take_due(&mut *stream.store, &env, next.unix_ns() - 1), []);
    assert_eq!(scheduled::take_due(&mut *stream.store, &env, next.unix_ns()).len(), 1);
}

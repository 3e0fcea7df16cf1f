//! What is kept beside the messages: expiries, schedules and sources.

use super::files::{Files, NOW, SECOND, each, plain, subjects};
use nats_server::base::Env;
use nats_server::ds::state_file::DecodeError;
use nats_server::model::{StreamConfig, StreamSource, Time};
use nats_server::store::scheduled;
use nats_server::store::sources::{SourceState, Sources};
use nats_server::store::stream::{NewMessage, StreamStore};
use nats_server::store::stream_state::EncodedStreamState;

crate::cases! {
    "server/filestore_test.go",
    library time_to_live_is_allowed_and_not => ["TestFileStoreUpdateConfigTTLState"],
    library schedule => ["TestFileStoreMessageSchedule"],
    library schedules_are_found_again => [
        "TestFileStoreMessageScheduleRecovered",
        "TestFileStoreSchedulingRecoveryAliasCorruption",
    ],
    library schedules_go_with_their_block => ["TestFileStorePurgeMsgBlockRemovesSchedules"],
    library expiries_and_schedules_are_found_again => [
        "TestFileStoreRecoverTTLAndScheduleStateAndCounters",
    ],
    library malformed_sources => ["TestFileStoreSourcesDecodeRejectsMalformed"],
    library sources_are_found_again => ["TestFileStoreSourcesRecovery"],
    library sources_that_are_not_read_any_more => ["TestFileStoreSourcesStaleConfig"],
    library sources_from_an_older_file => [
        "TestFileStoreSourcesRecoveredFromOutdatedState",
        "TestFileStoreSourcesRecoveredOneMessageAfterFlush",
    ],
    library sources_for_replicas => ["TestFileStoreEncodedStreamStateWithSources"],
}

fn time_to_live_is_allowed_and_not() {
    let mut files = plain(&subjects(&[">"]), 4096);
    let headers = b"NATS/1.0\r\nNats-TTL: 1\r\n\r\n";
    let new = NewMessage { subject: b"test", headers, ttl_s: 1, ..NewMessage::default() };
    files.try_put(new).unwrap();
    assert_eq!(files.store.expire(files.now).unwrap(), None);
    files.update(|config| config.allow_msg_ttl = true);
    assert_eq!(files.store.expire(files.now).unwrap(), Some(files.now + SECOND));
    files.update(|config| config.allow_msg_ttl = false);
    assert_eq!(files.store.expire(files.now + 2 * SECOND).unwrap(), None);
    assert_eq!(files.span(), (1, 1, 1));
}

fn at(time_ns: i64, target: &str) -> String {
    let at = Time::from_unix_ns(time_ns);
    format!("Nats-Schedule: @at {at}\r\nNats-Schedule-Target: {target}")
}

fn scheduling(more: &[&str]) -> StreamConfig {
    StreamConfig { allow_msg_schedules: true, ..subjects(more) }
}

fn schedule() {
    each(&scheduling(&["foo.*"]), 4096, |files| {
        files.put_headers("foo.schedule", &at(NOW + SECOND, "foo.target"));
        let env = Env::simulated(1);
        assert_eq!(scheduled::take_due(&mut files.store, &env, NOW + SECOND - 1), []);
        let made = scheduled::take_due(&mut files.store, &env, NOW + SECOND);
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].subject, b"foo.target");
        let headers = b"NATS/1.0\r\nNats-Scheduler: foo.schedule\r\n\
            Nats-Schedule-Next: purge\r\n\r\n";
        assert_eq!(made[0].headers, headers);
    });
}

fn schedules_are_found_again() {
    crate::exercises!("gap_areas", "1.4");
    let pad = "X".repeat(200);
    each(&scheduling(&["sched.>"]), 4096, |files| {
        let subject = |n: i64| format!("sched.AAAA-{n:05}-{}", "A".repeat(40));
        for n in 1..=40 {
            let headers = at(NOW + n * SECOND, &format!("target.{n}"));
            files.put_headers(&subject(n), &format!("{headers}\r\nPad: {pad}"));
        }
        assert!(files.store.blocks() >= 2);
        for lost in [&[][..], &["msgs/sched.db"], &["msgs/sched.db", "msgs/index.db"]] {
            let fixes = files.reopen_after(|files| {
                for name in lost {
                    std::fs::remove_file(files.path(name)).unwrap();
                }
            });
            assert!(fixes.is_empty(), "{fixes:?}");
            assert_eq!(files.span(), (40, 1, 40));
            let schedules = files.store.schedules().unwrap();
            assert_eq!(schedules.len(), 40);
            for n in 1..=40 {
                let expected = Some((n as u64, NOW + n * SECOND));
                assert_eq!(schedules.of_subject(subject(n).as_bytes()), expected);
            }
        }
    });
}

fn schedules_go_with_their_block() {
    each(&scheduling(&["foo.>"]), 700, |files| {
        for n in 0..10 {
            let headers = at(NOW + 3600 * SECOND, &format!("foo.target.{n}"));
            files.put_headers(&format!("foo.sched.{n}"), &headers);
        }
        let blocks = files.store.blocks();
        assert!(blocks >= 2);
        assert_eq!(files.store.schedules().unwrap().len(), 10);
        files.update(|config| config.max_msgs = 3);
        assert!(files.store.blocks() < blocks);
        for _ in 0..2 {
            assert_eq!(files.span(), (3, 8, 10));
            let schedules = files.store.schedules().unwrap();
            assert_eq!(schedules.len(), 3);
            for n in 0..10_u64 {
                let found = schedules.of_subject(format!("foo.sched.{n}").as_bytes());
                assert_eq!(found.map(|(seq, _)| seq), (n >= 7).then_some(n + 1));
            }
            files.reopen_without_index();
        }
    });
}

fn expiries_and_schedules_are_found_again() {
    crate::exercises!("gap_areas", "1.4");
    let config = StreamConfig { allow_msg_ttl: true, ..scheduling(&[">"]) };
    each(&config, 4096, |files| {
        let headers = format!("NATS/1.0\r\nNats-TTL: 5\r\n{}\r\n\r\n", at(NOW + 5 * SECOND, "bar"));
        let headers = headers.as_bytes();
        let new = NewMessage { subject: b"foo", headers, ttl_s: 5, ..NewMessage::default() };
        files.try_put(new).unwrap();
        let stored = files.now;
        for lost in [&[][..], &["thw.db", "sched.db"], &["thw.db", "sched.db", "index.db"]] {
            files.reopen_after(|files| {
                for name in lost {
                    std::fs::remove_file(files.path(&format!("msgs/{name}"))).unwrap();
                }
            });
            assert_eq!(files.store.expire(stored).unwrap(), Some(stored + 5 * SECOND));
            let schedules = files.store.schedules().unwrap();
            assert_eq!(schedules.of_subject(b"foo"), Some((1, NOW + 5 * SECOND)));
        }
    });
}

fn malformed_sources() {
    let header = |version: u8, count: u64| [&[version][..], &count.to_le_bytes(), &[0; 8]].concat();
    let cut = |more: &[u8]| [&header(1, 1)[..], more].concat();
    for (bytes, error) in [
        (vec![0; 16], DecodeError::Header),
        (header(2, 0), DecodeError::Version(2)),
        // Without the length of the name, the name, the sequence, the length of the identity, it.
        (cut(&[]), DecodeError::Entries),
        (cut(&[5]), DecodeError::Entries),
        (cut(&[3, b'f', b'o', b'o']), DecodeError::Entries),
        (cut(&[3, b'f', b'o', b'o', 1]), DecodeError::Entries),
        (cut(&[3, b'f', b'o', b'o', 1, 5]), DecodeError::Entries),
    ] {
        assert_eq!(Sources::decode(&bytes).unwrap_err(), error, "{bytes:?}");
    }
    let (whole, _) = Sources::decode(&cut(&[3, b'f', b'o', b'o', 1, 0])).unwrap();
    assert_eq!(whole, sources(&[("foo", 1, "")]));
}

fn sources(all: &[(&str, u64, &str)]) -> Sources {
    let state = |(name, seq, ident): &(&str, u64, &str)| {
        let state = SourceState { seq: *seq, ident: ident.as_bytes().to_vec() };
        (name.as_bytes().to_vec(), state)
    };
    Sources(all.iter().map(state).collect())
}

/// A stream with these sources.
fn sourcing(names: &[&str], block_len: u64) -> Files {
    let source = |name: &&str| StreamSource { name: (*name).into(), ..StreamSource::default() };
    let config = StreamConfig { sources: names.iter().map(source).collect(), ..subjects(&[">"]) };
    let mut files = plain(&config, block_len);
    track(&mut files, names);
    files
}

/// The owner says which sources are read.
fn track(files: &mut Files, names: &[&str]) {
    let names: Vec<Vec<u8>> = names.iter().map(|name| format!("{name} > >").into()).collect();
    files.store.track_sources(&names);
}

fn put_from(files: &mut Files, source: &str, seq: u64, more: &str) {
    let headers = format!("Nats-Stream-Source: {source} {seq} > > foo.bar{more}");
    files.put_headers("foo.bar", &headers);
}

fn sources_are_found_again() {
    crate::exercises!("gap_areas", "1.4");
    let mut files = sourcing(&["ORIGIN"], 256);
    (1..=10).for_each(|seq| put_from(&mut files, "ORIGIN", seq, " IDENTITY1"));
    assert!(files.store.blocks() >= 2);
    let expected = sources(&[("ORIGIN > >", 10, "IDENTITY1")]);
    assert_eq!(files.store.sources_state(), expected);
    files.reopen();
    track(&mut files, &["ORIGIN"]);
    assert_eq!(files.store.sources_state(), expected);
    // Without its file, from the messages.
    files.reopen_after(|files| std::fs::remove_file(files.path("sources.db")).unwrap());
    track(&mut files, &["ORIGIN"]);
    assert_eq!(files.store.sources_state(), expected);
    // It outlives the messages.
    files.store.purge().unwrap();
    files.reopen();
    track(&mut files, &["ORIGIN"]);
    assert_eq!(files.store.sources_state(), expected);
}

fn sources_that_are_not_read_any_more() {
    let mut files = sourcing(&["ORIGIN1", "ORIGIN2"], 4096);
    // There is no file while there is nothing to say.
    files.store.checkpoint().unwrap();
    assert!(!files.path("sources.db").exists());
    put_from(&mut files, "ORIGIN1", 1, "");
    put_from(&mut files, "ORIGIN2", 1, "");
    assert_eq!(files.store.sources_state().0.len(), 2);
    files.reopen();
    assert!(files.path("sources.db").exists());
    track(&mut files, &["ORIGIN1"]);
    assert_eq!(files.store.sources_state(), sources(&[("ORIGIN1 > >", 1, "")]));
    // With the last source the file goes.
    files.update(|config| config.sources.clear());
    track(&mut files, &[]);
    files.store.checkpoint().unwrap();
    assert!(!files.path("sources.db").exists());
    files.reopen();
    assert_eq!(files.store.sources_state(), Sources::default());
}

fn sources_from_an_older_file() {
    crate::exercises!("gap_areas", "1.4");
    let names = ["ORIGIN1", "ORIGIN2", "ORIGIN3"];
    for (first, last) in [(15, 30), (5, 6)] {
        let mut files = sourcing(&names, 256);
        let round = |files: &mut Files, seq| {
            names.iter().for_each(|name| put_from(files, name, seq, ""));
        };
        (1..=first).for_each(|seq| round(&mut files, seq));
        files.store.checkpoint().unwrap();
        let path = files.path("sources.db");
        let older = std::fs::read(&path).unwrap();
        if last == first + 1 {
            // One message alone.
            put_from(&mut files, "ORIGIN1", last, "");
        } else {
            (first + 1..=last).for_each(|seq| round(&mut files, seq));
        }
        files.reopen_after(|_| std::fs::write(path, older).unwrap());
        track(&mut files, &names);
        let other = if last == first + 1 { first } else { last };
        let expected = sources(&[
            ("ORIGIN1 > >", last, ""),
            ("ORIGIN2 > >", other, ""),
            ("ORIGIN3 > >", other, ""),
        ]);
        assert_eq!(files.store.sources_state(), expected);
    }
}

fn sources_for_replicas() {
    let mut files = sourcing(&["ORIGIN1"], 4096);
    (0..3).for_each(|_| put_from(&mut files, "ORIGIN1", 5, " IDENT1"));
    files.remove([2]);
    // All servers read version 1.
    for (with_sources, version) in [(false, 1), (true, 2)] {
        let bytes = files.store.encoded_stream_state(7, with_sources).unwrap();
        assert!(EncodedStreamState::is_encoded(&bytes));
        assert_eq!(bytes[1], version);
        let state = EncodedStreamState::decode(&bytes).unwrap();
        assert_eq!((state.failed, state.num_deleted()), (7, 1));
        let expected = sources(&[("ORIGIN1 > >", 5, "IDENT1")]);
        assert_eq!(state.sources, if with_sources { expected } else { Sources::default() });
    }
    let mut other = sourcing(&["ORIGIN1"], 4096);
    let first = sources(&[("ORIGIN1 > >", 5, "IDENT1")]);
    other.store.apply_sources_state(&first);
    assert_eq!(other.store.sources_state(), first);
    // The leader is right, also when it goes back; and it says nothing with nothing.
    let before = sources(&[("ORIGIN1 > >", 2, "OLD")]);
    other.store.apply_sources_state(&before);
    assert_eq!(other.store.sources_state(), before);
    other.store.apply_sources_state(&Sources::default());
    assert_eq!(other.store.sources_state(), before);
    let unknown = sources(&[("OTHER > >", 9, "")]);
    other.store.apply_sources_state(&unknown);
    assert_eq!(other.store.sources_state(), unknown);
    // The configured one is still followed.
    put_from(&mut other, "ORIGIN1", 3, "");
    assert_eq!(other.store.sources_state().0.len(), 2);
}

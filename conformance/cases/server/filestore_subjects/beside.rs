//! What is kept beside the messages: keys, consumers, how far sources are read; and a store that
//! several threads use.

use crate::cases::server::filestore_damage::stream::{
    SECOND, Stream, each, each_on_disk, subjects,
};
use nats_server::base::Env;
use nats_server::base::fs::OsFs;
use nats_server::model::{
    ConsumerConfig, ConsumerState, ExternalStream, FileConsumerInfo, PersistMode, SequencePair,
    StreamConfig, StreamSource, Time,
};
use nats_server::store::consumer::ConsumerStore;
use nats_server::store::file::consumer_store::{FileConsumerStore, Place};
use nats_server::store::stream::{NewMessage, StoreError, StreamStore};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

crate::cases! {
    "server/filestore_test.go",
    library messages_and_a_consumer => ["TestFileStoreEncrypted"],
    library keys_survive_with_their_blocks => ["TestFileStoreEncryptionKeyFileSyncedBySyncBlocks"],
    library sources_of_older_servers => ["TestFileStoreSourcesRecoveredFromPre210Header"],
    library configured_while_written => ["TestFileStoreUpdateConfigSyncAlwaysRace"],
    library times_to_live_while_memory_is_given_up => ["TestFileStoreStoreRawMsgTTLsRace"],
}

fn messages_and_a_consumer() {
    const PAYLOAD: &[u8] = b"aes ftw";
    let open = |stream: &Stream| {
        let env = Env::os();
        let dir = stream.file("");
        let place = Place {
            fs: Arc::new(OsFs),
            stream_dir: &dir,
            keys: stream.options.keys.as_deref(),
            entropy: Box::new(move |buf| env.entropy(buf)),
            durable: false,
        };
        let config = ConsumerConfig { name: "o22".into(), ..ConsumerConfig::default() };
        let info = FileConsumerInfo { created: Time::ZERO, name: "o22".into(), config };
        FileConsumerStore::open(place, &info).unwrap()
    };
    each(&subjects(&[]), 100_000, |stream| {
        (0..50).for_each(|_| _ = stream.put("foo", PAYLOAD));
        let mut consumer = open(stream);
        let state = ConsumerState {
            delivered: SequencePair { consumer_seq: 22, stream_seq: 22 },
            ack_floor: SequencePair { consumer_seq: 11, stream_seq: 11 },
            ..ConsumerState::default()
        };
        consumer.change(&mut |core| core.update(&state)).unwrap();
        consumer.stop().unwrap();
        stream.reopen();
        assert_eq!(stream.payload(10), PAYLOAD);
        assert_eq!(open(stream).core().unwrap().state(), &state);
        // Only who has the key sees it.
        let block = fs::read(stream.block(1)).unwrap();
        let in_the_clear = block.windows(PAYLOAD.len()).any(|bytes| bytes == PAYLOAD);
        assert_eq!(in_the_clear, stream.options.keys.is_none());
    });
}

fn keys_survive_with_their_blocks() {
    // A record is of 44 bytes: four in a block.
    each_on_disk(&subjects(&["foo"]), 200, |stream| {
        (0..8).for_each(|_| _ = stream.put("foo", b"Hello World"));
        stream.store.sync().unwrap();
        let synced = stream.disk.clone();
        for seed in 0..8 {
            let fixes = stream.continue_on(synced.crash(seed));
            assert!(fixes.is_empty(), "{fixes:?}");
            assert_eq!(stream.span(), (8, 1, 8));
            assert!((1..=8).all(|seq| stream.payload(seq) == b"Hello World"));
        }
        // A block that is not synced may be lost, and nothing else.
        stream.continue_on(synced.kill());
        (0..2).for_each(|_| _ = stream.put("foo", b"Hello World"));
        stream.store.flush().unwrap();
        let unsynced = stream.disk.clone();
        for seed in 0..32 {
            stream.continue_on(unsynced.crash(seed));
            let (_, first_seq, last_seq) = stream.span();
            assert!(first_seq == 1 && (8..=10).contains(&last_seq), "{:?}", stream.span());
            for seq in 1..=last_seq {
                match stream.load(seq) {
                    Ok(found) => assert_eq!(found.payload(), b"Hello World"),
                    Err(error) => assert!(seq > 8 && matches!(error, StoreError::NotFound)),
                }
            }
        }
    });
}

fn sources_of_older_servers() {
    let source = |name: &str, filter_subject: &str, external| StreamSource {
        name: name.into(),
        filter_subject: filter_subject.into(),
        external,
        ..StreamSource::default()
    };
    let elsewhere = ExternalStream { api: "$JS.hub.API".into(), ..ExternalStream::default() };
    let sources = vec![
        source("ORIGIN", "", None),
        source("ORIGIN", "bar.>", None),
        source("ORIGIN", "", Some(elsewhere)),
        source("OTHER", "", None),
    ];
    let names: Vec<Vec<u8>> = sources.iter().map(|s| s.index_name().into_bytes()).collect();
    assert_eq!(names[..2], [b"ORIGIN > >".to_vec(), b"ORIGIN bar.> >".to_vec()]);
    let external = sources[2].stream_name();
    let mut stream = Stream::new(&StreamConfig { sources, ..subjects(&[">"]) }, 100_000);
    stream.store.track_sources(&names);
    let put = |stream: &mut Stream, source: &str| {
        let headers = format!("NATS/1.0\r\nNats-Stream-Source: {source}\r\n\r\n");
        let (subject, headers) = (&b"foo.bar"[..], headers.as_bytes());
        stream.try_put(NewMessage { subject, headers, ..NewMessage::default() }).unwrap();
    };
    put(&mut stream, "ORIGIN 1 > > foo.bar");
    put(&mut stream, "OTHER 3 > > foo.bar");
    stream.store.checkpoint().unwrap();
    let path = stream.file("sources.db");
    let outdated = fs::read(&path).unwrap();
    put(&mut stream, "ORIGIN 9");
    put(&mut stream, "$JS.ACK.OTHER.C.1.7.9.1700000000000000000.0");
    put(&mut stream, &format!("{external} 5"));
    // With what was known before, and with nothing.
    for known in [Some(outdated), None] {
        stream.stop();
        match known {
            Some(known) => fs::write(&path, known).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        assert!(stream.start().is_empty());
        let state = stream.store.sources_state();
        let seqs: Vec<_> = names.iter().map(|name| state.0.get(name).map(|s| s.seq)).collect();
        assert_eq!(seqs, [Some(9), Some(9), Some(5), Some(7)]);
        assert!(state.0.values().all(|source| source.ident.is_empty()));
    }
}

fn configured_while_written() {
    let config =
        |persist_mode| StreamConfig { num_replicas: 3, persist_mode, ..subjects(&["foo"]) };
    let stream = Mutex::new(Stream::new(&config(PersistMode::Async), 4096));
    stream.lock().unwrap().put("foo", b"hello");
    let done = AtomicBool::new(false);
    let stored = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut stored = 1_u64;
            while !done.load(Ordering::Relaxed) {
                let mut stream = stream.lock().unwrap();
                stored = stream.put("foo", &stored.to_be_bytes());
                stream.store.flush().unwrap();
            }
            stored
        });
        for n in 0..200 {
            let mode = if n % 2 == 0 { PersistMode::Default } else { PersistMode::Async };
            let mut stream = stream.lock().unwrap();
            let now = stream.now;
            stream.store.update_config(&config(mode), now).unwrap();
            drop(stream);
            thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    let mut stream = stream.into_inner().unwrap();
    for _ in 0..2 {
        assert_eq!(stream.span(), (stored, 1, stored));
        assert!((2..=stored).all(|seq| stream.payload(seq) == (seq - 1).to_be_bytes()));
        assert_eq!(stream.store.config(), &config(PersistMode::Async));
        stream.reopen();
    }
}

fn times_to_live_while_memory_is_given_up() {
    const TTL: NewMessage<'_> = NewMessage {
        subject: b"test",
        headers: b"NATS/1.0\r\nNats-TTL: 3600\r\n\r\n",
        payload: b"hello",
        ttl_s: 3600,
    };
    const STORED: u64 = 1000;
    let config = StreamConfig { allow_msg_ttl: true, ..subjects(&["test"]) };
    let mut stream = Stream::new(&config, 8 << 20);
    let start = stream.now;
    stream.try_put(TTL).unwrap();
    let shared = Mutex::new(stream);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while shared.lock().unwrap().state().last_seq < STORED {
                    shared.lock().unwrap().try_put(TTL).unwrap();
                }
            });
        }
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let mut stream = shared.lock().unwrap();
                    stream.store.flush().unwrap();
                    stream.maintain();
                    assert_eq!(stream.payload(1), b"hello");
                    if stream.state().last_seq >= STORED {
                        break;
                    }
                }
            });
        }
    });
    let mut stream = shared.into_inner().unwrap();
    let stored = stream.state().last_seq;
    for round in 0..3 {
        assert_eq!(stream.span(), (stored, 1, stored));
        // Each of them ends, and not before its time.
        let first = start + 3600 * SECOND + 1_000_000;
        assert_eq!(stream.store.expire(first - 1).unwrap(), Some(first));
        match round {
            0 => stream.reopen(),
            1 => stream.reopen_without_index(),
            _ => {}
        }
    }
    let end = start + 3600 * SECOND + stored as i64 * 1_000_000;
    stream.store.expire(end - 1).unwrap();
    assert_eq!(stream.span(), (1, stored, stored));
    assert_eq!(stream.store.expire(end).unwrap(), None);
    assert_eq!(stream.span(), (0, stored + 1, stored));
}

//! Stores with many messages, blocks and consumers. What an operation costs is counted in
//! operations of the disk, which do not depend on the machine.

use super::filestore_damage::stream::{Stream, each, filter, numbers, options, subjects};
use nats_server::base::fs::{Fs, Gate, GatedFs, OsFs};
use nats_server::base::{Clock, Env};
use nats_server::model::{
    AckPolicy, ConsumerConfig, FileConsumerInfo, SimpleState, StreamConfig, Time,
};
use nats_server::store::consumer::ConsumerStore;
use nats_server::store::file::consumer_store::{FileConsumerStore, Place};
use nats_server::store::stream::{Filter, StreamStore};
use nats_server::wire::subject;
use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;

crate::cases! {
    "server/norace_1_test.go",
    library consumers_at_the_same_time => ["TestNoRaceJetStreamConsumerFileStoreConcurrentDiskIO"],
    library keys_of_blocks_that_are_gone => ["TestNoRaceJetStreamFileStoreKeyFileCleanup"],
    library first_and_last_of_many_keys => ["TestNoRaceJetStreamFileStoreLargeKVAccessTiming"],
    library every_other_message_is_gone => ["TestNoRaceFileStoreFilteredStateWithLargeDeletes"],
    library pending_as_counted => ["TestNoRaceFileStoreNumPending"],
    not_applicable "TestNoRaceFileStoreStreamMaxAgePerformance" => "skipped by upstream; prints how many messages a second are stored while others expire, and asserts nothing",
}

fn consumers_at_the_same_time() {
    const THREADS: usize = 50;
    const CONSUMERS: usize = 20;
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("MT");
    OsFs.create_dir_all(&dir).unwrap();
    let gate = Gate::new(4, &Clock::os());
    let fs: Arc<dyn Fs> = Arc::new(GatedFs::new(Arc::new(OsFs), gate.clone()));
    let open = |name: String| {
        let env = Env::os();
        let place = Place {
            fs: fs.clone(),
            stream_dir: &dir,
            keys: None,
            entropy: Box::new(move |buf| env.entropy(buf)),
            durable: false,
        };
        let (ack_policy, of) = (AckPolicy::Explicit, name.clone());
        let config = ConsumerConfig { name: of, ack_policy, ..ConsumerConfig::default() };
        let info = FileConsumerInfo { created: Time::ZERO, name, config };
        FileConsumerStore::open(place, &info).unwrap()
    };
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for n in 0..THREADS {
            let names = (0..CONSUMERS).map(|m| format!("o{}", n * CONSUMERS + m));
            let stores: Vec<_> = names.map(|name| (open(name.clone()), name)).collect();
            let (together, dir) = (&together, &dir);
            scope.spawn(move || {
                together.wait();
                for (mut store, name) in stores {
                    store.change(&mut |core| core.update_delivered(22, 22, 1, 1)).unwrap();
                    store.flush().unwrap();
                    assert!(dir.join("obs").join(&name).join("o.dat").exists());
                    store.delete().unwrap();
                }
            });
        }
    });
    assert_eq!(gate.stats().waiting, 0);
    assert!(OsFs.read_dir(&dir.join("obs")).unwrap().is_empty());
}

fn keys_of_blocks_that_are_gone() {
    each(&subjects(&[]), 100_000, |stream| {
        const MESSAGES: usize = 1000;
        stream.put_numbered("X.", 0..MESSAGES, &[b'Z'; 1024]);
        assert!(stream.store.blocks() >= 10);
        let files = |stream: &Stream, extension: &str| {
            let paths = OsFs.read_dir(&stream.file("msgs")).unwrap();
            paths.iter().filter(|p| p.extension().is_some_and(|e| e == extension)).count()
        };
        let has_keys = stream.options.keys.is_some();
        let keys = |stream: &Stream| if has_keys { files(stream, "key") } else { 0 };
        assert_eq!(keys(stream), if has_keys { stream.store.blocks() } else { 0 });
        let mut seqs: Vec<u64> = (1..=MESSAGES as u64).collect();
        for (at, with) in (1..MESSAGES).rev().zip(numbers(MESSAGES)) {
            seqs.swap(at, with % (at + 1));
        }
        stream.remove(seqs);
        assert_eq!(stream.span(), (0, MESSAGES as u64 + 1, MESSAGES as u64));
        stream.maintain();
        assert_eq!(files(stream, "blk"), 1);
        assert_eq!(keys(stream), usize::from(has_keys));
        stream.stays();
    });
}

fn first_and_last_of_many_keys() {
    const KEYS: usize = 10_000;
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["KV.STREAM_NAME.*"]) };
    let mut stream = Stream::on_disk(&config, options(None, 4096));
    stream.put_numbered("KV.STREAM_NAME.", 1..=KEYS, &[b'Z'; 1024]);
    assert!(stream.store.blocks() > 3000);
    stream.store.sync().unwrap();
    for (n, opened_again) in [(KEYS, false), (1, false), (KEYS / 2, true), (1, true)] {
        if opened_again {
            stream.reopen();
        }
        stream.maintain();
        let key = format!("KV.STREAM_NAME.{n}");
        // One block is opened and read.
        let (found, cost) = stream.operations(|s| s.last(&key));
        assert_eq!((found.seq, found.payload()), (n as u64, &[b'Z'; 1024][..]));
        assert!(cost < 10, "{cost} operations");
        stream.maintain();
        let (states, cost) = stream.operations(|s| s.store.subjects_state(filter(&key)));
        assert_eq!(states.unwrap()[key.as_bytes()].first_seq, n as u64);
        assert!(cost < 10, "{cost} operations");
    }
}

fn every_other_message_is_gone() {
    const MESSAGES: u64 = 50_000;
    let mut stream = Stream::on_disk(&subjects(&["foo"]), options(None, 4096));
    (0..MESSAGES).for_each(|_| _ = stream.put("foo", b"Hello World"));
    stream.remove((2..=MESSAGES).step_by(2));
    assert!(stream.store.blocks() > 500);
    for start in [1, 20_001] {
        let (found, cost) = stream.operations(|s| s.store.filtered_state(start, Filter::All));
        let messages = (start..=MESSAGES).step_by(2).count() as u64;
        let expected = SimpleState { messages, first_seq: start, last_seq: MESSAGES };
        assert_eq!(found.unwrap(), expected);
        assert_eq!(cost, 0, "messages were read");
    }
}

fn pending_as_counted() {
    const MESSAGES: usize = 50_000;
    let mut stream = Stream::new(&subjects(&["*.*.*.*"]), 2048);
    let mut tokens = numbers(3).map(|n| ["foo", "bar", "baz"][n]);
    let mut name = || tokens.by_ref().take(4).collect::<Vec<_>>().join(".");
    let names: Vec<String> = (0..MESSAGES).map(|_| name()).collect();
    names.iter().for_each(|name| _ = stream.put(name, b"Hello World"));
    assert!(stream.store.blocks() > 1000);
    let last_seq = MESSAGES as u64;
    for meant in ["foo.>", "*.bar.>", "foo.bar.*.baz", "*.foo.bar.*", "foo.foo.bar.baz"] {
        let matches = |name: &str| subject::matches(name.as_bytes(), meant.as_bytes());
        for start in
            [0, 1, 2, 200, 444, 555, 2222, 8888, 12_345, 28_222, 33_456, 44_400, 49_999_usize]
        {
            let later = || (1..).zip(&names).skip(start.max(1) - 1).filter(|(_, n)| matches(n));
            let messages = later().count() as u64;
            let first_seq = later().next().map_or(0, |(seq, _)| seq);
            let last = later().last().map_or(0, |(seq, _)| seq);
            let expected = SimpleState { messages, first_seq, last_seq: last };
            let start = start as u64;
            assert_eq!(stream.store.filtered_state(start, filter(meant)).unwrap(), expected);
            let pending = stream.store.num_pending(start, filter(meant), false).unwrap();
            assert_eq!(pending, (messages, last_seq), "{meant} from {start}");
            let lasts = later().map(|(_, name)| name).collect::<HashSet<_>>().len() as u64;
            let pending = stream.store.num_pending(start, filter(meant), true).unwrap();
            assert_eq!(pending, (lasts, last_seq), "{meant} from {start}");
        }
    }
}

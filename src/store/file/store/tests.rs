//! The store against a list, with everything that may be done to it.

use super::*;
use crate::base::Env;
use crate::base::fs::{CrashFs, Fault};
use crate::config::Secret;
use crate::config::jetstream::StoreCipher;
use crate::model::{ExternalStream, FileStreamInfo, StorageType, StreamConfig, StreamSource};
use crate::store::file::crypt::KeyRing;
use crate::store::model_tests::{Harness, follows_a_list, scenario};
use crate::store::stream::{Effects, Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const NOW_NS: i64 = 1_790_000_000_000_000_000;

/// A store on a disk in memory, with blocks of a few messages.
struct Files {
    env: Env,
    options: Options,
    store: FileStore,
}

impl Files {
    fn new(config: &StreamConfig, cipher: Option<StoreCipher>) -> Self {
        Self::on(Env::simulated(1), config, cipher)
    }

    fn on(env: Env, config: &StreamConfig, cipher: Option<StoreCipher>) -> Self {
        let key: Secret = "key".into();
        let ring = |cipher| KeyRing::new("A", &key, &Secret::default(), cipher).map(Arc::new);
        let options = Options { keys: cipher.and_then(ring), block_len_max: Some(400) };
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        env.fs().create_dir_all(Path::new("/streams")).unwrap();
        let dir = Path::new("/streams/S");
        let store = FileStore::create(&env, dir, &info, options.clone(), NOW_NS).unwrap();
        Self { env, options, store }
    }
}

impl Harness for Files {
    fn store(&mut self) -> &mut dyn StreamStore {
        &mut self.store
    }

    fn reopen(&mut self, config: &StreamConfig) -> bool {
        self.store.stop().unwrap();
        let dir = self.store.dir.clone();
        let opened = FileStore::open(&self.env, &dir, self.options.clone(), 0).unwrap();
        assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
        self.store = opened.store;
        assert_eq!(self.store.config(), config);
        true
    }

    fn size(&self) -> fn(usize, usize, usize) -> u64 {
        |subject, headers, payload| {
            crate::store::file::record::message_len(subject, headers, payload) as u64
        }
    }
}

proptest! {
    #[test]
    fn does_what_a_list_does(
        scenario in scenario(StorageType::File),
        cipher in prop_oneof![
            3 => Just(None), 1 => Just(Some(StoreCipher::ChaCha)), 1 => Just(Some(StoreCipher::Aes)),
        ],
    ) {
        let mut files = Files::new(&scenario.config, cipher);
        follows_a_list(&mut files, &scenario);
    }
}

fn files() -> Files {
    Files::new(&StreamConfig { name: "S".into(), ..StreamConfig::default() }, None)
}

impl Files {
    fn put(&mut self, count: u64) {
        let new = NewMessage { subject: b"a", payload: b"12345", ..NewMessage::default() };
        (0..count).for_each(|_| _ = self.store.store(new, NOW_NS).unwrap());
    }

    fn remove(&mut self, seqs: impl IntoIterator<Item = u64>) {
        seqs.into_iter().for_each(|seq| assert!(self.store.remove(seq).unwrap()));
    }

    /// As after a crash of the process: there is no index.
    fn reopen_without_index(&mut self) {
        let before = self.store.state();
        self.store.stop().unwrap();
        self.env.fs().remove_file(&self.store.disk.dir.join("index.db")).unwrap();
        let dir = self.store.dir.clone();
        let opened = FileStore::open(&self.env, &dir, self.options.clone(), NOW_NS).unwrap();
        assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
        self.store = opened.store;
        let after = self.store.state();
        assert_eq!((after.messages, after.last_seq), (before.messages, before.last_seq));
        assert_eq!(after.deleted, before.deleted);
    }
}

#[test]
fn many_blocks_of_tombstones_do_not_all_have_the_last_sequence() {
    let mut files = files();
    files.put(200);
    // Less than half of each block, so that the messages stay in the files, and the last one.
    files.remove((1..200).filter(|seq| seq % 3 == 0));
    files.remove([200]);
    let blocks = files.store.blocks.iter();
    assert!(blocks.filter(|block| block.messages == 0 && block.last.0 == 200).count() > 3);
    files.store.maintain().unwrap();
    files.reopen_without_index();
    files.put(1);
    files.reopen_without_index();
}

#[test]
fn what_was_removed_before_a_truncation_does_not_come_back_with_it() {
    let mut files = files();
    files.put(25);
    // A tombstone for the first block keeps the block of these messages, when they are gone.
    files.remove([3]);
    let at = files.store.blocks.len() - 1;
    files.put(40);
    let block = &files.store.blocks[at];
    let (first, last) = (block.first.0, block.last.0);
    files.remove(first..=last);
    assert_eq!((files.store.blocks[at].messages, files.store.blocks[at].last.0), (0, last));
    // Opened again, the block does not know whose sequences it had.
    files.reopen_without_index();
    assert!(files.store.blocks[at].last.0 < first);
    let seq = first + 1;
    files.store.truncate(seq, NOW_NS).unwrap();
    assert_eq!(files.store.fast_state().last_seq, seq);
    files.reopen_without_index();
    files.put(20);
    files.reopen_without_index();
}

#[test]
fn blocks_of_a_purged_subject_leave_no_tombstones() {
    let mut files = files();
    files.put(46);
    let new = NewMessage { subject: b"b", ..NewMessage::default() };
    files.store.store(new, NOW_NS).unwrap();
    assert!(files.store.blocks.len() > 4);
    assert_eq!(files.store.purge_ex(Filter::Literal(b"a"), 0, 0).unwrap(), 46);
    assert_eq!((files.store.fast_state().first_seq, files.store.blocks.len()), (47, 1));
    files.reopen_without_index();
}

#[test]
fn what_could_not_be_written_is_not_there() {
    let disk = CrashFs::default();
    let config = StreamConfig { name: "S".into(), ..StreamConfig::default() };
    let mut files = Files::on(Env::simulated_on(1, Arc::new(disk.clone())), &config, None);
    let (mut effects, mut out) = (Effects::default(), StoredMessage::default());
    files.put(3);
    files.store.flush().unwrap();
    files.store.take_effects(&mut effects);
    let before = files.store.state();
    files.put(2);
    files.store.skip(0, NOW_NS + 1, true).unwrap();
    disk.fail_at(1, Fault::NoSpace);
    assert!(matches!(files.store.flush(), Err(StoreError::Io(_))));
    assert_eq!(files.store.state(), before);
    files.store.take_effects(&mut effects);
    assert_eq!((effects.messages, effects.bytes), (0, 0));
    assert!(matches!(files.store.load(4, &mut out), Err(StoreError::Eof)));
    files.store.load(3, &mut out).unwrap();
    assert_eq!(files.store.subjects_totals(Filter::All).into_values().sum::<u64>(), 3);
    // Nothing else is stored, as if nothing had been.
    let new = NewMessage { subject: b"a", ..NewMessage::default() };
    assert!(matches!(files.store.store(new, NOW_NS), Err(StoreError::Io(_))));
    assert_eq!(files.store.state(), before);
}

#[test]
fn a_record_that_was_read_wrongly_is_read_again() {
    let mut files = files();
    files.put(30);
    files.store.flush().unwrap();
    let path = files.store.disk.block_path(1);
    let right = files.env.fs().read(&path).unwrap();
    let mut out = StoredMessage::default();
    // In the sequence of the first record, and in its payload.
    for at in [4, 24] {
        files.reopen_without_index();
        let fs = files.env.fs();
        let mut wrong = right.clone();
        wrong[at] ^= 1 << 4;
        fs.write(&path, &wrong, 0).unwrap();
        assert!(matches!(files.store.load(1, &mut out), Err(StoreError::BadMessage(1))));
        fs.write(&path, &right, 0).unwrap();
        files.store.load(1, &mut out).unwrap();
        assert_eq!(out.payload(), b"12345");
    }
}

#[test]
fn blocks_of_which_messages_are_removed_do_not_stay_loaded() {
    let mut files = files();
    files.put(500);
    let firsts: Vec<u64> = files.store.blocks.iter().map(|block| block.first.0).collect();
    assert!(firsts.len() > 40);
    let loaded = |files: &Files| files.store.blocks.iter().filter(|b| b.is_loaded()).count();
    files.store.maintain().unwrap();
    files.remove(firsts.iter().map(|first| first + 1));
    assert!(loaded(&files) < 20, "{}", loaded(&files));
    // What is in use is not given up.
    files.store.maintain().unwrap();
    files.remove([firsts[10] + 2]);
    files.store.maintain().unwrap();
    let at = files.store.block_of(firsts[10]);
    assert!(files.store.blocks[at].is_loaded());
    files.store.maintain().unwrap();
    assert!(!files.store.blocks[at].is_loaded());
}

#[test]
fn a_message_that_is_refused_for_want_of_space_is_not_known() {
    let disk = CrashFs::default();
    let env = Env::simulated_on(1, Arc::new(disk.clone()));
    env.fs().create_dir_all(Path::new("/streams")).unwrap();
    let config = StreamConfig { name: "S".into(), ..StreamConfig::default() };
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    let dir = Path::new("/streams/S");
    let mut store = FileStore::create(&env, dir, &info, Options::default(), NOW_NS).unwrap();
    let payload = &[0; 600_000][..];
    let new = NewMessage { subject: b"a", payload, ..NewMessage::default() };
    let state = store.state();
    store.store(new, NOW_NS).unwrap();
    // What waits for the disk goes with it.
    disk.fail_at(1, Fault::NoSpace);
    let new = NewMessage { subject: b"b", payload, ..NewMessage::default() };
    assert!(matches!(store.store(new, NOW_NS), Err(StoreError::Io(_))));
    assert_eq!(store.state(), state);
    assert!(store.subjects.find(b"b").is_none());
}

#[test]
fn behind_the_last_message_there_is_where_the_stream_is() {
    let mut files = files();
    files.put(10);
    let filtered = |files: &mut Files, seq| {
        let state = files.store.filtered_state(seq, Filter::All).unwrap();
        (state.messages, state.first_seq, state.last_seq)
    };
    assert_eq!(filtered(&mut files, 11), (0, 1, 10));
    files.store.purge().unwrap();
    assert_eq!(filtered(&mut files, 0), (0, 11, 10));
}

#[test]
fn sources_of_older_servers_are_found_again() {
    let source = |name: &str, external: Option<&str>| StreamSource {
        name: name.into(),
        external: external.map(|api| ExternalStream { api: api.into(), deliver: "".into() }),
        ..StreamSource::default()
    };
    let sources = vec![source("A", None), source("B", None), source("A", Some("$JS.hub.API"))];
    let config = StreamConfig { name: "S".into(), sources, ..StreamConfig::default() };
    let mut files = Files::new(&config, None);
    let mut reopened = |value: &str| {
        let headers = format!("NATS/1.0\r\nNats-Stream-Source: {value}\r\n\r\n");
        let new = NewMessage { headers: headers.as_bytes(), ..NewMessage::default() };
        files.store.store(new, NOW_NS).unwrap();
        files.store.stop().unwrap();
        // As after a crash: what is known is older than the message.
        let known = files.env.fs().remove_file(Path::new("/streams/S/sources.db"));
        assert!(known.is_ok() || known.is_err_and(|e| e.kind() == io::ErrorKind::NotFound));
        let opened =
            FileStore::open(&files.env, Path::new("/streams/S"), Options::default(), NOW_NS);
        files.store = opened.unwrap().store;
        let names = ["A > >", "B > >", "A:bTMUkJQk > >"];
        let state = files.store.sources_state();
        names.map(|name| state.0.get(name.as_bytes()).map_or(0, |source| source.seq))
    };
    assert_eq!(reopened("B 3 > > x"), [0, 3, 0]);
    assert_eq!(reopened("A 9"), [9, 3, 9]);
    assert_eq!(reopened("A:bTMUkJQk 11"), [9, 3, 11]);
    assert_eq!(reopened("$JS.ACK.B.C.1.4.4.1.0"), [9, 4, 11]);
}

#[test]
fn what_is_pending_of_the_only_subject_is_not_looked_for() {
    let mut files = files();
    files.put(500);
    files.remove([7, 123]);
    let before = files.store.reads;
    for (seq, count) in [(1, 498), (8, 492), (124, 377), (500, 1)] {
        let pending = files.store.num_pending(seq, Filter::Literal(b"a"), false).unwrap();
        assert_eq!(pending, (count, 500));
    }
    assert!(files.store.reads < before + 20);
}

#[test]
fn a_configuration_that_may_be_damaged_removes_nothing() {
    use crate::store::file::recover::Cause;
    let mut files = files();
    files.put(5);
    files.store.stop().unwrap();
    let (fs, dir) = (files.env.fs(), files.store.dir.clone());
    let meta = dir.join("meta.inf");
    let sound = fs.read_to_string(&meta).unwrap();
    let open = || FileStore::open(&files.env, &dir, files.options.clone(), NOW_NS + 2);
    let change = |from: &str, to: &str| {
        assert!(sound.contains(from), "{sound}");
        fs.write(&meta, sound.replace(from, to).as_bytes(), 0).unwrap();
    };
    for (from, to) in [
        ("\"max_msgs\":0", "\"max_msgs\":4"),
        ("\"max_bytes\":0", "\"max_bytes\":9"),
        ("\"max_msgs_per_subject\":0", "\"max_msgs_per_subject\":1"),
        ("\"max_age\":0", "\"max_age\":1"),
    ] {
        change(from, to);
        assert!(matches!(open().err(), Some(OpenError::Limits(_))), "{to}");
        fs.write(&meta, sound.as_bytes(), 0).unwrap();
        let mut store = open().unwrap().store;
        assert_eq!(store.state().messages, 5, "{to}");
        store.stop().unwrap();
    }
    // One that removes nothing is what a crash between the two files leaves.
    change("\"max_msgs\":0", "\"max_msgs\":5");
    let opened = open().unwrap();
    assert!(matches!(opened.fixes[0].damage.cause, Cause::MetaSum), "{:?}", opened.fixes);
    assert_eq!((opened.store.config().max_msgs, opened.store.state().messages), (5, 5));
}

#[test]
fn the_directory_of_another_stream_is_left_alone() {
    use crate::store::file::recover::RecoverError;
    let mut files = files();
    files.put(5);
    files.store.stop().unwrap();
    let (fs, dir) = (files.env.fs(), files.store.dir.clone());
    let other = dir.with_file_name("T");
    fs.rename(&dir, &other).unwrap();
    let open = |dir: &Path| FileStore::open(&files.env, dir, files.options.clone(), NOW_NS);
    let refused = open(&other).err();
    let Some(OpenError::Recover(RecoverError::Name { name, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(name, "S");
    fs.rename(&other, &dir).unwrap();
    let opened = open(&dir).unwrap();
    assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
    assert_eq!(opened.store.state().messages, 5);
}

#[test]
fn upstreams_expiries_are_known_below_the_next_sequence() {
    use crate::ds::expiries::Expiries;
    use crate::store::stream::StoredMessage;
    let config = StreamConfig { name: "S".into(), allow_msg_ttl: true, ..StreamConfig::default() };
    let mut files = Files::new(&config, None);
    let headers = b"NATS/1.0\r\nNats-TTL: 5\r\n\r\n";
    let new = NewMessage { subject: b"a", headers, ttl_s: 5, ..NewMessage::default() };
    for _ in 0..3 {
        files.store.store(new, NOW_NS).unwrap();
    }
    files.store.stop().unwrap();
    let path = files.store.disk.dir.join("thw.db");
    let fs = files.env.fs();
    let (known, next) = Expiries::decode(&fs.read(&path).unwrap()).unwrap();
    assert_eq!((known.len(), next), (3, 4));
    // As if it had been written before the last message.
    let mut older = known.clone();
    assert!(older.remove(3, NOW_NS + 5_000_000_000));
    fs.write(&path, &older.encode(3), 0).unwrap();
    let opened = FileStore::open(&files.env, &files.store.dir, files.options.clone(), NOW_NS);
    let mut store = opened.unwrap().store;
    assert!(store.load(3, &mut StoredMessage::default()).is_ok());
    store.expire(NOW_NS + 6_000_000_000).unwrap();
    assert_eq!((store.state().messages, store.state().last_seq), (0, 3));
}

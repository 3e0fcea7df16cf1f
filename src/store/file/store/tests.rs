//! The store against a list, with everything that may be done to it.

use super::*;
use crate::base::Env;
use crate::config::Secret;
use crate::config::jetstream::StoreCipher;
use crate::model::{FileStreamInfo, StorageType, StreamConfig};
use crate::store::file::crypt::KeyRing;
use crate::store::model_tests::{Harness, follows_a_list, scenario};
use crate::store::stream::{NewMessage, StreamStore};
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
        let env = Env::simulated(1);
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

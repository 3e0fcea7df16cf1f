//! What the paths that every message takes allocate: nothing, but for what grows now and then.

use nats_server::base::Env;
use nats_server::model::{FileStreamInfo, StreamConfig};
use nats_server::store::file::store::{FileStore, Options};
use nats_server::store::stream::{Effects, NewMessage, StoredMessage, StreamStore};
use tempfile::TempDir;

/// Messages that are counted.
const COUNTED: u64 = 20_000;
/// Allocations by what grows with messages: places in a block, its memory, the next block.
const GROWTH: u64 = 100;

fn store(root: &TempDir) -> FileStore {
    let config = StreamConfig { name: "HEAP".into(), ..StreamConfig::default() };
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    FileStore::create(&Env::os(), &root.path().join("HEAP"), &info, Options::default(), 1)
        .expect("a store")
}

/// Stores messages of ten subjects as a server does: in batches that are written.
fn append(store: &mut FileStore, messages: u64, effects: &mut Effects) {
    let subjects: [[u8; 6]; 10] =
        std::array::from_fn(|n| [b'h', b'e', b'a', b'p', b'.', b'0' + n as u8]);
    for n in 0..messages {
        let new = NewMessage {
            subject: &subjects[n as usize % 10],
            payload: &[b'x'; 128],
            ..NewMessage::default()
        };
        store.store(new, n as i64 + 1).expect("stored");
        if n % 256 == 255 {
            store.flush().expect("written");
            store.take_effects(effects);
        }
    }
}

#[test]
fn storing_a_message_allocates_nothing() {
    let root = TempDir::new().expect("a folder");
    let (mut store, mut effects) = (store(&root), Effects::default());
    append(&mut store, 1000, &mut effects);
    let counted = allocation_counter::measure(|| append(&mut store, COUNTED, &mut effects));
    assert!(counted.count_total < GROWTH, "{counted:?}");
}

#[test]
fn reading_a_message_allocates_nothing() {
    let root = TempDir::new().expect("a folder");
    let (mut store, mut out) = (store(&root), StoredMessage::default());
    append(&mut store, COUNTED, &mut Effects::default());
    store.load(1, &mut out).expect("a message");
    let counted = allocation_counter::measure(|| {
        for seq in 1..=COUNTED {
            store.load(seq, &mut out).expect("a message");
            assert_eq!(out.seq, seq);
        }
    });
    assert!(counted.count_total < GROWTH, "{counted:?}");
}

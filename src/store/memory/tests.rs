//! What is particular to memory. What every store does is in `store::model_tests`.

use super::*;
use crate::base::duration::GoDuration;
use crate::model::{SimpleState, StorageType};
use crate::store::stream::{Expired, Filter, StreamStore};

const SECOND_NS: i64 = 1_000_000_000;

fn store(config: StreamConfig) -> MemoryStore {
    let config = StreamConfig { storage: StorageType::Memory, ..config };
    MemoryStore::new(&Env::simulated(1), &config).unwrap()
}

fn effects(store: &mut MemoryStore) -> Effects {
    let mut effects = Effects::default();
    store.take_effects(&mut effects);
    effects
}

#[test]
fn old_messages_make_room_and_are_named() {
    let mut store = store(StreamConfig { max_msgs_per_subject: 1, ..StreamConfig::default() });
    let message = NewMessage { subject: b"a", payload: b"x", ..NewMessage::default() };
    store.store(message, 1).unwrap();
    store.store(message, 2).unwrap();
    let effects = effects(&mut store);
    assert_eq!((effects.messages, effects.bytes), (1, 18));
    assert!(effects.removed().eq([(1, &b"a"[..])]));
    let state = SimpleState { messages: 1, first_seq: 2, last_seq: 2 };
    assert_eq!(store.filtered_state(0, Filter::of(b"a")).unwrap(), state);
}

#[test]
fn messages_that_never_expire_are_passed_once() {
    let mut store =
        store(StreamConfig { max_age: GoDuration(10 * SECOND_NS), ..StreamConfig::default() });
    let never = NewMessage { subject: b"a", ttl_s: -1, ..NewMessage::default() };
    let message = NewMessage { ttl_s: 0, ..never };
    for time_ns in 0..5 {
        store.store(never, time_ns).unwrap();
    }
    store.store(message, SECOND_NS).unwrap();
    assert_eq!(store.expire(0).unwrap(), Some(11 * SECOND_NS));
    assert_eq!(store.aged_seq, 6);
    assert_eq!(store.expire(11 * SECOND_NS).unwrap(), None);
    assert!(effects(&mut store).removed().eq([(6, &b"a"[..])]));
    // A message of another time to come is looked at again.
    store.store(message, 12 * SECOND_NS).unwrap();
    assert_eq!(store.expire(12 * SECOND_NS).unwrap(), Some(22 * SECOND_NS));
    assert_eq!(store.fast_state().messages, 6);
}

#[test]
fn the_owner_is_asked_again_after_a_while() {
    let config = StreamConfig {
        storage: StorageType::Memory,
        max_age: GoDuration(SECOND_NS),
        subject_delete_marker_ttl: GoDuration(SECOND_NS),
        ..StreamConfig::default()
    };
    let mut store = store(config.clone());
    for subject in [&b"a"[..], b"b", b"a"] {
        store.store(NewMessage { subject, ..NewMessage::default() }, 0).unwrap();
    }
    let expired = |seq, subject: &[u8], marker| Expired { seq, subject: subject.into(), marker };
    let all = [expired(1, b"a", false), expired(2, b"b", true), expired(3, b"a", true)];
    assert_eq!(store.expire(SECOND_NS).unwrap(), Some(3 * SECOND_NS));
    assert_eq!(effects(&mut store).expired, all);
    assert_eq!(store.expire(2 * SECOND_NS).unwrap(), Some(3 * SECOND_NS));
    assert_eq!(effects(&mut store).expired, []);
    store.remove(1).unwrap();
    assert_eq!(store.expire(3 * SECOND_NS).unwrap(), Some(5 * SECOND_NS));
    assert_eq!(effects(&mut store).expired, all[1..]);
    // When ends are not marked any more, they need not be left to the owner.
    let config = StreamConfig { subject_delete_marker_ttl: GoDuration(0), ..config };
    store.update_config(&config, 3 * SECOND_NS).unwrap();
    assert_eq!(store.fast_state().messages, 0);
}

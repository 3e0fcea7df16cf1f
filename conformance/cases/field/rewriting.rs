//! What rewrites blocks, stopped anywhere: records and keys stay readable.

use super::disk::{CIPHERS, End, Kind, Seen, Stopped, at_every_operation, look, losses, put, ring};
use nats_server::base::fs::CrashFs;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::StoreCompression;
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::store::FileStore;
use nats_server::store::stream::{Filter, StoreError, StreamStore};
use std::sync::Arc;

crate::cases! {
    "",
    library a_compaction => [],
    library a_truncation => [],
    library a_purge_of_a_subject => [],
    library a_purge_that_keeps_some => [],
    library erased_and_removed_messages => [],
    library another_key_or_cipher => [],
}

const MESSAGES: u64 = 14;

/// A stream of several blocks, some of which have gaps, at rest.
fn made(kind: &Kind) -> (CrashFs, Seen) {
    let fs = CrashFs::default();
    let mut store = kind.create(&fs).unwrap();
    for seq in 1..=MESSAGES {
        put(&mut store, ["a.x", "a.y", "b"][seq as usize % 3], seq).unwrap();
    }
    for seq in [2, 5, 6, 11] {
        assert!(store.remove(seq).unwrap());
    }
    let seen = look(&mut store).unwrap();
    assert!(store.blocks() > 3);
    store.stop().unwrap();
    (fs.kill(), seen)
}

/// Stops something that rewrites blocks at every operation. `stays` is which messages it may not
/// touch, `last` the sequence that it leaves as the last.
fn interrupted(
    act: impl Fn(&mut FileStore) -> Result<(), StoreError>,
    stays: impl Fn(u64, &str) -> bool,
    last: u64,
) {
    let [_, _, sealed] = Kind::some();
    let packed = Kind::all().into_iter().filter(|k| k.config.compression == StoreCompression::S2);
    for kind in packed.chain([sealed]) {
        let (disk, before) = made(&kind);
        let mut after = before.clone();
        after
            .messages
            .retain(|seq, (subject, _)| stays(*seq, std::str::from_utf8(subject).unwrap()));
        assert!(after.messages.len() < before.messages.len());
        let script = |fs: &CrashFs, done: &mut bool| -> Result<(), Stopped> {
            let mut store = kind.open(fs)?.store;
            act(&mut store)?;
            store.maintain()?;
            store.stop()?;
            *done = true;
            Ok(())
        };
        let at = |fs: &CrashFs, done: &bool, end: End, what: &str| {
            if end == End::Killed {
                let damage = kind.damage(fs);
                assert!(losses(&damage).is_empty(), "{what}: {damage:?}");
            }
            let opened = kind.open(fs).unwrap_or_else(|e| panic!("{what}: {e}"));
            let mut store = opened.store;
            let seen = look(&mut store).unwrap_or_else(|e| panic!("{what}: {e}"));
            for (seq, message) in &after.messages {
                assert_eq!(seen.messages.get(seq), Some(message), "{what}: message {seq}");
            }
            for (seq, message) in &seen.messages {
                assert_eq!(before.messages.get(seq), Some(message), "{what}: message {seq}");
            }
            assert!(!done || seen.messages == after.messages, "{what}: {seen:?}");
            let lasts = if *done { last..=last } else { last.min(MESSAGES)..=last.max(MESSAGES) };
            assert!(lasts.contains(&seen.last), "{what}: {}", seen.last);
            store.stop().unwrap();
            let damage = kind.damage(fs);
            assert!(damage.is_empty(), "{what}: {damage:?}");
        };
        at_every_operation(&disk, script, |fs| _ = kind.open(fs), at);
    }
}

fn a_compaction() {
    crate::exercises!("gap_areas", "1.3");
    crate::exercises!("field_statements", "F19");
    interrupted(|store| store.compact(8).map(drop), |seq, _| seq >= 8, MESSAGES);
}

fn a_truncation() {
    crate::exercises!("gap_areas", "1.3");
    crate::exercises!("field_statements", "F19");
    let at = super::disk::NOW;
    interrupted(|store| store.truncate(9, at), |seq, _| seq <= 9, 9);
}

fn a_purge_of_a_subject() {
    crate::exercises!("gap_areas", "1.7");
    crate::exercises!("field_statements", "F19");
    interrupted(
        |store| store.purge_ex(Filter::Pattern(b"a.*"), 0, 0).map(drop),
        |_, subject| subject == "b",
        MESSAGES,
    );
}

fn a_purge_that_keeps_some() {
    crate::exercises!("field_statements", "F19");
    interrupted(
        |store| store.purge_ex(Filter::Literal(b"b"), 0, 1).map(drop),
        |seq, subject| subject != "b" || seq == 14,
        MESSAGES,
    );
}

fn erased_and_removed_messages() {
    crate::exercises!("gap_areas", "1.7");
    crate::exercises!("field_statements", "F19");
    interrupted(
        |store| {
            assert!(store.erase(3)? && store.erase(13)?);
            for seq in [7, 8, 9] {
                assert!(store.remove(seq)?);
            }
            store.flush()
        },
        |seq, _| ![3, 13, 7, 8, 9].contains(&seq),
        MESSAGES,
    );
}

fn another_key_or_cipher() {
    crate::exercises!("gap_areas", "1.2");
    crate::exercises!("field_statements", "F19");
    let [chacha, aes] = [StoreCipher::ChaCha, StoreCipher::Aes];
    let changes = [
        (None, ring("k", "", chacha)),
        (ring("k", "", chacha), ring("k", "", aes)),
        (ring("k", "", aes), ring("n", "k", aes)),
    ];
    for (old, new) in changes {
        let old = Kind::new(StoreCompression::S2, old);
        converted(&old, &made(&old), new);
    }
}

fn converted(old: &Kind, (disk, before): &(CrashFs, Seen), keys: Option<Arc<KeyRing>>) {
    let mut new = old.clone();
    new.options.keys = keys;
    let script = |fs: &CrashFs, _: &mut ()| -> Result<(), Stopped> {
        let opened = new.open(fs)?;
        if let Some(refused) = opened.converted.refused.into_iter().next() {
            return Err(refused.into());
        }
        Ok(())
    };
    let check = |fs: &CrashFs, (): &(), _: End, what: &str| {
        let opened = new.open(fs).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(opened.converted.refused.is_empty(), "{what}: {:?}", opened.converted);
        assert!(opened.fixes.is_empty(), "{what}: {:?}", opened.fixes);
        let mut store = opened.store;
        assert_eq!(&look(&mut store).unwrap(), before, "{what}");
        store.stop().unwrap();
        let damage = new.damage(fs);
        assert!(damage.is_empty(), "{what}: {damage:?}");
    };
    at_every_operation(disk, script, |fs| _ = new.open(fs), check);
}

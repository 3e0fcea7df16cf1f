//! Sequences of a queue that is empty most of the time, and of a bucket that is new.

use super::disk::{End, Kind, Stopped, at_every_operation, look, losses, put};
use nats_server::base::fs::CrashFs;
use nats_server::model::{DiscardPolicy, RetentionPolicy};
use nats_server::store::file::recover::Remedy;
use nats_server::store::file::store::FileStore;
use nats_server::store::stream::{Filter, StoreError, StoredMessage, StreamStore};
use std::collections::BTreeMap;

crate::cases! {
    "",
    library an_emptied_queue_keeps_its_sequences => [],
    library a_new_bucket_survives_a_reboot => [],
}

/// First and last sequence.
type Span = (u64, u64);

/// What is known of a queue.
#[derive(Default, PartialEq)]
struct Queue {
    created: bool,
    /// As it was before the step that was stopped, and as it would be after it.
    now: Span,
    next: Span,
    /// As it was synced last, and whether nothing was stored since.
    synced: Span,
    quiet: bool,
}

impl Queue {
    /// Does something to the queue that makes it `next`, as far as its owner lets know of it.
    fn step(
        &mut self,
        store: &mut FileStore,
        next: Span,
        act: impl FnOnce(&mut FileStore) -> Result<(), StoreError>,
    ) -> Result<(), Stopped> {
        self.next = next;
        act(store)?;
        store.flush()?;
        self.now = next;
        let state = store.fast_state();
        assert_eq!((state.first_seq, state.last_seq), next);
        Ok(())
    }

    fn sync(&mut self, store: &mut FileStore) -> Result<(), Stopped> {
        store.sync()?;
        (self.synced, self.quiet) = (self.now, true);
        Ok(())
    }
}

/// Fills a queue and empties it as consumers do, several times over: several blocks of messages
/// come and go.
fn fill_and_empty(kind: &Kind, fs: &CrashFs, queue: &mut Queue) -> Result<(), Stopped> {
    let mut store = kind.create(fs)?;
    (queue.now, queue.next, queue.synced, queue.quiet) = ((0, 0), (0, 0), (0, 0), true);
    queue.created = true;
    let mut last = 0;
    for round in 0..3 {
        let first = last + 1;
        queue.quiet = false;
        for seq in first..first + 5 {
            queue.step(&mut store, (first, seq), |store| put(store, "work", seq).map(drop))?;
        }
        last += 5;
        queue.sync(&mut store)?;
        for seq in first..=last {
            queue.step(&mut store, (seq + 1, last), |store| store.remove(seq).map(drop))?;
        }
        queue.sync(&mut store)?;
        let empty = (last + 1, last);
        match round {
            0 => queue.step(&mut store, empty, FileStore::maintain)?,
            1 => {
                queue.step(&mut store, empty, FileStore::checkpoint)?;
                queue.step(&mut store, empty, |store| store.purge().map(drop))?;
            }
            _ => {
                store.stop()?;
                store = kind.open(fs)?.store;
                queue.step(&mut store, empty, FileStore::maintain)?;
            }
        }
        queue.sync(&mut store)?;
    }
    Ok(())
}

fn an_emptied_queue_keeps_its_sequences() {
    crate::exercises!("gap_areas", "1.1");
    crate::exercises!("field_statements", "F1");
    for mut kind in Kind::some() {
        kind.config.retention = RetentionPolicy::WorkQueue;
        let script = |fs: &CrashFs, queue: &mut Queue| fill_and_empty(&kind, fs, queue);
        at_every_operation(
            &CrashFs::default(),
            script,
            |fs| _ = kind.open(fs),
            |fs, queue, end, what| {
                if !queue.created {
                    return;
                }
                let opened = kind.open(fs).unwrap_or_else(|e| panic!("{what}: {e}"));
                let mut store = opened.store;
                let seen = look(&mut store).unwrap_or_else(|e| panic!("{what}: {e}"));
                let span = (seen.first, seen.last);
                let is_one_of_both = span == queue.now || span == queue.next;
                match end {
                    End::Killed => {
                        assert!(
                            is_one_of_both,
                            "{what}: {span:?} {:?} {:?}",
                            queue.now, queue.next
                        );
                    }
                    End::PowerLost => {
                        // Nothing of what was synced comes back, and no sequence is used twice.
                        let (first, last) = queue.synced;
                        assert!(
                            span.0 >= first && span.1 >= last,
                            "{what}: {span:?} {first} {last}"
                        );
                        assert!(span.1 <= queue.next.1, "{what}: {span:?}");
                        let is_idle = queue.quiet && first > last && queue.next == queue.synced;
                        assert!(!is_idle || span == queue.synced, "{what}: {span:?}");
                    }
                }
                let after = seen.last + 1;
                assert_eq!(put(&mut store, "work", after).unwrap(), after, "{what}");
                assert_eq!(look(&mut store).unwrap().last, after, "{what}");
            },
        );
    }
}

/// What is known of a bucket: values by key, those that were put and those that were synced.
#[derive(Default, PartialEq)]
struct Bucket {
    created: bool,
    put: BTreeMap<String, Vec<u64>>,
    synced: BTreeMap<String, u64>,
}

fn a_new_bucket_survives_a_reboot() {
    crate::exercises!("field_statements", "F17a");
    for mut kind in Kind::some() {
        kind.config.subjects = vec!["$KV.S.>".into()];
        kind.config.max_msgs_per_subject = 1;
        kind.config.discard = DiscardPolicy::New;
        (kind.config.deny_delete, kind.config.allow_rollup_hdrs) = (true, true);
        // As it is without a word about blocks.
        kind.options.block_len_max = None;
        let script = |fs: &CrashFs, bucket: &mut Bucket| {
            let mut store = kind.create(fs)?;
            bucket.created = true;
            for n in 1..=6 {
                let key = format!("$KV.S.k{}", n % 2);
                bucket.put.entry(key.clone()).or_default().push(n);
                put(&mut store, &key, n)?;
                store.sync()?;
                bucket.synced.insert(key, n);
            }
            Ok(())
        };
        at_every_operation(
            &CrashFs::default(),
            script,
            |fs| _ = kind.open(fs),
            |fs, bucket, _, what| {
                if !bucket.created {
                    return;
                }
                let opened = kind.open(fs).unwrap_or_else(|e| panic!("{what}: {e}"));
                // A write that was torn by the end is no damage.
                for fix in &opened.fixes {
                    let is_torn = matches!(fix.damage.remedy, Remedy::Cut | Remedy::Rewrite);
                    assert!(is_torn, "{what}: {fix:?}");
                }
                let mut store = opened.store;
                for (key, n) in &bucket.synced {
                    let mut out = StoredMessage::default();
                    let found = store.load_last(Filter::Literal(key.as_bytes()), &mut out);
                    found.unwrap_or_else(|e| panic!("{what}: {key}: {e}"));
                    let value: u64 =
                        std::str::from_utf8(out.payload()).unwrap().trim().parse().unwrap();
                    assert!(
                        value >= *n && bucket.put[key].contains(&value),
                        "{what}: {key} {value}"
                    );
                    assert_eq!(store.subjects_totals(Filter::Literal(key.as_bytes())).len(), 1);
                }
                let seen = look(&mut store).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert!(seen.messages.len() <= 2, "{what}: {seen:?}");
                drop(store);
                assert!(losses(&kind.damage(fs)).is_empty(), "{what}");
            },
        );
    }
}

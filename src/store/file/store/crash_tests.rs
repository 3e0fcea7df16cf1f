//! The power goes at every single operation on the disk. What was synced is there afterwards.

use super::*;
use crate::base::Env;
use crate::base::fs::{CrashFs, Fault};
use crate::config::Secret;
use crate::config::jetstream::StoreCipher;
use crate::model::{FileStreamInfo, StoreCompression, StreamConfig};
use crate::store::file::crypt::KeyRing;
use crate::store::file::recover::Remedy;
use crate::store::stream::{Filter, NewMessage, StoredMessage, StreamStore};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const NOW_NS: i64 = 1_790_000_000_000_000_000;
const DIR: &str = "/streams/S";

#[derive(Clone, Debug)]
enum Step {
    Store(u8, u8),
    Sync,
    Flush,
    Skip(u8),
    Remove(Index),
    Erase(Index),
    Purge,
    PurgeSubject(u8),
    Compact(Index),
    Truncate(Index),
    Maintain,
    Checkpoint,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..4u8, 0..90u8).prop_map(|(subject, len)| Step::Store(subject, len)),
        4 => Just(Step::Sync),
        1 => Just(Step::Flush),
        1 => (1..5u8).prop_map(Step::Skip),
        5 => any::<Index>().prop_map(Step::Remove),
        1 => any::<Index>().prop_map(Step::Erase),
        1 => Just(Step::Purge),
        1 => (0..4u8).prop_map(Step::PurgeSubject),
        1 => any::<Index>().prop_map(Step::Compact),
        1 => any::<Index>().prop_map(Step::Truncate),
        2 => Just(Step::Maintain),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

/// What a stream is seen to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    last_seq: u64,
    messages: BTreeMap<u64, (Vec<u8>, Vec<u8>)>,
}

fn look(store: &mut FileStore) -> Result<Seen, StoreError> {
    let mut seen = Seen { last_seq: store.fast_state().last_seq, ..Seen::default() };
    let (mut next, mut out) = (0, StoredMessage::default());
    while store.load_next(Filter::All, next, &mut out).map(|()| true).or_else(at_end)? {
        seen.messages.insert(out.seq, (out.subject().to_vec(), out.payload().to_vec()));
        next = out.seq + 1;
    }
    assert_eq!(store.fast_state().messages, seen.messages.len() as u64);
    let subjects: BTreeSet<_> = seen.messages.values().map(|(subject, _)| subject).collect();
    assert_eq!(store.fast_state().num_subjects, subjects.len() as u64);
    Ok(seen)
}

fn at_end(error: StoreError) -> Result<bool, StoreError> {
    if matches!(error, StoreError::Eof) { Ok(false) } else { Err(error) }
}

struct Run {
    options: Options,
    config: StreamConfig,
    /// What was seen since the last sync, that first.
    seen: Vec<Seen>,
}

impl Run {
    /// Does the steps until the disk fails; whether it did.
    fn go(&mut self, fs: &CrashFs, steps: &[Step]) -> bool {
        let env = Env::simulated_on(1, Arc::new(fs.clone()));
        let info = FileStreamInfo { config: self.config.clone(), ..FileStreamInfo::default() };
        let created = FileStore::create(&env, Path::new(DIR), &info, self.options.clone(), NOW_NS);
        let Ok(mut store) = created else { return true };
        self.seen = vec![Seen::default()];
        for (at, step) in steps.iter().enumerate() {
            if self.step(&env, &mut store, step, at as i64).is_err() {
                return true;
            }
        }
        false
    }

    fn step(
        &mut self,
        env: &Env,
        store: &mut FileStore,
        step: &Step,
        at: i64,
    ) -> Result<(), StoreError> {
        let mut now = look(store)?;
        let last = now.last_seq;
        let pick = |index: &Index| 1 + index.index(last as usize + 1) as u64;
        let mut durable = false;
        // What will be, before it is tried: a step that fails may have been done in part.
        let mut next = now.clone();
        let subject = |subject: &u8| vec![b'a' + subject];
        match step {
            Step::Store(of, len) => {
                next.last_seq += 1;
                // Different every time that a sequence is used.
                let payload = [vec![b'x'; usize::from(*len)], at.to_le_bytes().to_vec()].concat();
                next.messages.insert(next.last_seq, (subject(of), payload));
            }
            Step::Skip(count) => next.last_seq += u64::from(*count),
            Step::Remove(index) | Step::Erase(index) => _ = next.messages.remove(&pick(index)),
            Step::Purge => next.messages.clear(),
            Step::PurgeSubject(of) => next.messages.retain(|_, (name, _)| *name != subject(of)),
            Step::Compact(index) => {
                next.messages = next.messages.split_off(&pick(index));
                next.last_seq = next.last_seq.max(pick(index) - 1);
            }
            Step::Truncate(index) if last > 0 => {
                next.last_seq = next.last_seq.min(pick(index));
                next.messages.split_off(&(next.last_seq + 1));
            }
            _ => {}
        }
        self.seen.push(next.clone());
        match step {
            Step::Store(of, _) => {
                let payload = &next.messages[&next.last_seq].1;
                let subject = &subject(of);
                store
                    .store(NewMessage { subject, payload, ..NewMessage::default() }, NOW_NS + at)?;
            }
            Step::Sync => {
                store.sync()?;
                durable = true;
            }
            Step::Flush => store.flush()?,
            Step::Skip(count) => store.skip_many(0, u64::from(*count), NOW_NS)?,
            Step::Remove(index) => _ = store.remove(pick(index))?,
            Step::Erase(index) => _ = store.erase(pick(index))?,
            Step::Purge => _ = store.purge()?,
            Step::PurgeSubject(of) => _ = store.purge_ex(Filter::Literal(&subject(of)), 0, 0)?,
            Step::Compact(index) => _ = store.compact(pick(index))?,
            Step::Truncate(index) if last > 0 => store.truncate(pick(index), NOW_NS)?,
            Step::Truncate(_) => {}
            Step::Maintain => store.maintain()?,
            Step::Checkpoint => {
                store.checkpoint()?;
                durable = true;
            }
            Step::Reopen => {
                store.stop()?;
                durable = true;
                let opened = FileStore::open(env, Path::new(DIR), self.options.clone(), NOW_NS);
                let opened = opened.map_err(std::io::Error::other)?;
                assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
                *store = opened.store;
            }
        }
        now = look(store)?;
        assert_eq!(now, next, "{step:?}");
        if durable {
            self.seen = vec![now];
        }
        Ok(())
    }

    /// Opens what a crash left, and compares it with what was seen. `torn` is whether writes may
    /// have been lost.
    fn check(&self, fs: &CrashFs, torn: bool, what: &str) {
        let env = Env::simulated_on(2, Arc::new(fs.clone()));
        let open = || FileStore::open(&env, Path::new(DIR), self.options.clone(), NOW_NS);
        let Some(synced) = self.seen.first() else { return };
        let opened = open().unwrap_or_else(|e| panic!("{what}: {e}"));
        for fix in &opened.fixes {
            // Of several blocks that were not synced any may be torn.
            let harmless = fix.damage.remedy == Remedy::Rewrite || torn;
            assert!(harmless, "{what}: {fix:?}");
        }
        let mut store = opened.store;
        let found = look(&mut store).unwrap_or_else(|e| panic!("{what}: {e}"));
        let known = |message: &(&u64, &(Vec<u8>, Vec<u8>))| {
            self.seen.iter().any(|seen| seen.messages.get(message.0) == Some(message.1))
        };
        let strange: Vec<_> = found.messages.iter().filter(|message| !known(message)).collect();
        assert!(strange.is_empty(), "{what}: these were gone: {strange:?} of {:?}", self.seen);
        let stays = |message: &(&u64, &(Vec<u8>, Vec<u8>))| {
            self.seen.iter().all(|seen| seen.messages.get(message.0) == Some(message.1))
        };
        for (seq, message) in synced.messages.iter().filter(stays) {
            assert_eq!(found.messages.get(seq), Some(message), "{what}: {seq} was synced");
        }
        let least = self.seen.iter().map(|seen| seen.last_seq).min().unwrap_or(0);
        assert!(found.last_seq >= least, "{what}: {} after {least}", found.last_seq);
        // It goes on, and is found so again.
        let new = NewMessage { subject: b"new", ..NewMessage::default() };
        assert_eq!(store.store(new, NOW_NS).unwrap(), found.last_seq + 1, "{what}");
        store.sync().unwrap();
        let now = look(&mut store).unwrap_or_else(|e| panic!("{what}: {e}; {:?}", opened.fixes));
        drop(store);
        let mut again = open().unwrap_or_else(|e| panic!("{what}: {e}")).store;
        assert_eq!(look(&mut again).unwrap(), now, "{what}");
    }
}

fn crash_everywhere(config: StreamConfig, options: Options, steps: &[Step], seed: u64) {
    let mut run = Run { options, config, seen: Vec::new() };
    let whole = CrashFs::default();
    assert!(!run.go(&whole, steps));
    for at in 1..=whole.operations() {
        let fs = CrashFs::default();
        fs.fail_at(at, Fault::Freeze);
        run.seen = Vec::new();
        // An operation whose failure does not matter is no end.
        run.go(&fs, steps);
        let what = format!("stopped at operation {at}");
        run.check(&fs.kill(), false, &format!("{what}, process killed"));
        run.check(&fs.crash(seed ^ at), true, &format!("{what}, power lost"));
    }
}

fn options(cipher: Option<StoreCipher>) -> Options {
    let key: Secret = "key".into();
    let ring = |cipher| KeyRing::new("A", &key, &Secret::default(), cipher).map(Arc::new);
    Options { keys: cipher.and_then(ring), block_len_max: Some(400) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]
    #[test]
    fn what_was_synced_survives(
        steps in prop::collection::vec(step(), 1..25), seed: u64, packed: bool,
        cipher in prop_oneof![3 => Just(None), 1 => Just(Some(StoreCipher::ChaCha))],
    ) {
        let compression = if packed { StoreCompression::S2 } else { StoreCompression::None };
        let config = StreamConfig { name: "S".into(), compression, ..StreamConfig::default() };
        crash_everywhere(config, options(cipher), &steps, seed);
    }
}

#[test]
fn an_index_of_an_empty_block_does_not_match_one_of_zeros() {
    use Step::{Checkpoint, Purge, Skip, Store};
    let stores = [Store(0, 38), Store(0, 56), Store(0, 36), Skip(1), Store(0, 85)];
    let steps = [&[Purge, Checkpoint][..], &stores].concat();
    let compression = StoreCompression::S2;
    let config = StreamConfig { name: "S".into(), compression, ..StreamConfig::default() };
    crash_everywhere(config, options(None), &steps, 661_012_990_136_103_319);
}

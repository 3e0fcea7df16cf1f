//! The same purge of a store in memory and of one in files.

use super::disk::{Kind, look, put};
use nats_server::base::Env;
use nats_server::base::fs::{CrashFs, Fs};
use nats_server::model::{StorageType, StreamConfig};
use nats_server::store::memory::MemoryStore;
use nats_server::store::stream::{Filter, StreamStore};
use std::path::Path;

crate::cases! {
    "",
    library purges_agree => [],
}

const MESSAGES: u64 = 9;
const FILTERS: [&str; 5] = ["", "a.x", "a.*", "b", "none"];
const SEQS: [u64; 6] = [0, 1, 4, 6, 9, 11];
const KEEPS: [u64; 3] = [0, 1, 3];

fn filled(store: &mut dyn StreamStore, removed: &[u64]) {
    for seq in 1..=MESSAGES {
        put(store, ["a.x", "a.y", "b"][seq as usize % 3], seq).unwrap();
    }
    for seq in removed {
        assert!(store.remove(*seq).unwrap());
    }
}

fn purges_agree() {
    crate::exercises!("gap_areas", "4.5");
    crate::exercises!("field_statements", "F23");
    let kinds = Kind::all();
    let mut removing = 0;
    for removed in [&[][..], &[1, 2, 5], &[3, 6, 9], &[1, 4, 8, 9]] {
        for (filter, seq, keep) in requests() {
            // Each of the kinds takes its turn.
            let kind = &kinds[removing % kinds.len()];
            let what = format!("{removed:?}: {filter:?} below {seq}, keep {keep}");
            let env = Env::simulated(1);
            let config = StreamConfig { storage: StorageType::Memory, ..kind.config.clone() };
            let mut memory = MemoryStore::new(&env, &config).unwrap();
            filled(&mut memory, removed);
            let fs = CrashFs::default();
            let mut files = kind.create(&fs).unwrap();
            filled(&mut files, removed);
            let before = look(&mut files).unwrap();
            let meant = Filter::of(filter.as_bytes());
            let count = files.purge_ex(meant, seq, keep).unwrap();
            assert_eq!(memory.purge_ex(meant, seq, keep).unwrap(), count, "{what}");
            let seen = look(&mut files).unwrap();
            assert_eq!(look(&mut memory).unwrap(), seen, "{what}");
            let gone = before.messages.len() - seen.messages.len();
            assert_eq!(gone as u64, count, "{what}");
            removing += usize::from(gone > 0);
            // One of the two is what a client can ask for.
            if seq == 0 || keep == 0 {
                let meant = |seq: &u64| meant.matches(&before.messages[seq].0);
                let all: Vec<u64> = before.messages.keys().copied().filter(meant).collect();
                let kept = all.len().saturating_sub(keep as usize);
                let below = |s: &&u64| seq == 0 || **s < seq;
                let expected: Vec<&u64> = all[..kept].iter().filter(below).collect();
                let gone = before.messages.keys().filter(|seq| !seen.messages.contains_key(seq));
                assert!(gone.eq(expected.iter().copied()), "{what}: {seen:?} {expected:?}");
            }
            assert_eq!(memory.state().deleted, files.state().deleted, "{what}");
            if gone == 0 {
                continue;
            }
            // It is so on disk, with the index and without.
            files.stop().unwrap();
            let mut again = kind.open(&fs).unwrap().store;
            assert_eq!(look(&mut again).unwrap(), seen, "{what}, opened again");
            again.stop().unwrap();
            fs.remove_file(&Path::new(super::disk::DIR).join("msgs/index.db")).unwrap();
            let mut again = kind.open(&fs).unwrap().store;
            assert_eq!(look(&mut again).unwrap(), seen, "{what}, opened without the index");
        }
    }
    assert!(removing > 150, "{removing}");
}

fn requests() -> impl Iterator<Item = (&'static str, u64, u64)> {
    FILTERS.into_iter().flat_map(|filter| {
        SEQS.into_iter().flat_map(move |seq| KEEPS.map(|keep| (filter, seq, keep)))
    })
}

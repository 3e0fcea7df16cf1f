//! What a sequence set costs, in figures that do not depend on the machine.

use std::collections::HashSet;
use std::time::Instant;

use nats_server::base::Rng;
use nats_server::ds::seq_set::SeqSet;

crate::cases! {
    "server/avl/norace_test.go",
    library size_comparison => ["TestNoRaceSeqSetSizeComparison"],
    library encode_large => ["TestNoRaceSeqSetEncodeLarge"],
    library relative_speed => ["TestNoRaceSeqSetRelativeSpeed"],
}

fn random(count: usize, max: u64, seed: u64) -> Vec<u64> {
    let mut rng = Rng::from_seed(seed);
    (0..count).map(|_| rng.below(max + 1)).collect()
}

fn size_comparison() {
    /// A node's bits, its place, and the ends of the allocation and of the map's leaf.
    const NODE_BYTES: usize = 256 + 16 + 32;
    let seqs = random(5_000_000, 7_000_000, 1);
    let set: SeqSet = seqs.iter().copied().collect();
    let map: HashSet<u64> = seqs.into_iter().collect();
    assert_eq!(set.len(), map.len() as u64);
    let used = set.nodes() * NODE_BYTES;
    assert!(used < 2 << 20, "{used} bytes");
    // Of a hash table at least its slots, and a byte each beside them.
    assert!(used * 50 < map.capacity() * 9, "{used} bytes");
}

fn encode_large() {
    let seqs = random(2_500_000, 5_000_000, 2);
    let start = Instant::now();
    let set: SeqSet = seqs.into_iter().collect();
    let inserting = start.elapsed();
    let start = Instant::now();
    let mut bytes = Vec::new();
    set.encode(&mut bytes);
    let (decoded, read) = SeqSet::decode(&bytes).unwrap();
    let coding = start.elapsed();
    assert_eq!(read, bytes.len());
    assert_eq!((decoded.nodes(), decoded.len()), (set.nodes(), set.len()));
    assert_eq!(decoded, set);
    // 5M bits and a few bytes for each 2048 of them.
    assert!(bytes.len() < 5_000_000 / 8 + 2500 * 10 + 512, "{} bytes", bytes.len());
    // By words, not by sequences.
    assert!(coding * 4 < inserting, "{coding:?} and {inserting:?}");
}

fn relative_speed() {
    let seqs = random(1_000_000, 3_000_000, 3);
    let timed = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let (mut set, mut map) = (SeqSet::new(), HashSet::new());
    let set_insert = timed(&mut || set.extend(seqs.iter().copied()));
    let set_lookup = timed(&mut || assert!(seqs.iter().all(|seq| set.contains(*seq))));
    let map_insert = timed(&mut || map.extend(seqs.iter().copied()));
    let map_lookup = timed(&mut || assert!(seqs.iter().all(|seq| map.contains(seq))));
    assert!(set_insert < map_insert * 2, "insert: {set_insert:?}, map {map_insert:?}");
    assert!(set_lookup < map_lookup * 3, "look-up: {set_lookup:?}, map {map_lookup:?}");
}

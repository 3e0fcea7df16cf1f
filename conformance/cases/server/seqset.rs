//! The sequence set. Upstream's tests look at its tree; here what is observable of it: members,
//! their order, how many nodes they take, and the tree in the encoding.

use std::collections::BTreeSet;

use nats_server::base::Rng;
use nats_server::ds::seq_set::{DecodeError, NODE_BITS, NODE_ENCODED_LEN, SeqSet};

crate::cases! {
    "server/avl/seqset_test.go",
    library basics => ["TestSeqSetBasics"],
    library leans => ["TestSeqSetLeftLean", "TestSeqSetRightLean"],
    library correctness => ["TestSeqSetCorrectness"],
    library range => ["TestSeqSetRange"],
    library delete => ["TestSeqSetDelete"],
    library insert_and_delete_pedantic => ["TestSeqSetInsertAndDeletePedantic"],
    library min_and_max => ["TestSeqSetMinMax"],
    library clone => ["TestSeqSetClone"],
    library equal => ["TestSeqSetEqual"],
    library union => ["TestSeqSetUnion", "TestSeqSetDistinctUnion"],
    library first_node => ["TestSeqSetFirst"],
    library decode_v1 => ["TestSeqSetDecodeV1"],
    library node_count_overflow => ["TestSeqSetDecodeNodeCountOverflow"],
    library insert_into_existing_nodes => ["TestSeqSetInsertExistingNodeFastPath"],
    library unaligned_base => ["TestSeqSetInsertUnalignedBase"],
    library delete_what_is_not_there => ["TestSeqSetDeleteNotPresent"],
    library range_sparse => ["TestSeqSetRangeSparse"],
}

const NODE_LEN: usize = NODE_ENCODED_LEN;

fn set(seqs: &[u64]) -> SeqSet {
    seqs.iter().copied().collect()
}

fn shuffled(count: u64, seed: u64) -> Vec<u64> {
    let mut rng = Rng::from_seed(seed);
    let mut seqs: Vec<u64> = (0..count).collect();
    for at in (1..seqs.len()).rev() {
        seqs.swap(at, rng.below(at as u64 + 1) as usize);
    }
    seqs
}

/// The nodes of the encoding: first sequence and height.
fn nodes(set: &SeqSet) -> Vec<(u64, u16)> {
    let mut bytes = Vec::new();
    set.encode(&mut bytes);
    let node = |node: &[u8]| {
        let height = u16::from_le_bytes(*node.last_chunk().unwrap());
        (u64::from_le_bytes(*node.first_chunk().unwrap()), height)
    };
    bytes[10..].chunks(NODE_LEN).map(node).collect()
}

/// The tree of the encoding is one of search: the root's children are as high as it is less one,
/// or two.
fn assert_balanced(set: &SeqSet) {
    fn height(nodes: &[(u64, u16)]) -> u16 {
        let Some(((base, height_written), below)) = nodes.split_first() else { return 0 };
        // Before its children, and the lower ones before the higher.
        let right = below.iter().position(|(other, _)| other > base).unwrap_or(below.len());
        let (left, right) = below.split_at(right);
        assert!(left.iter().all(|(other, _)| other < base));
        assert!(right.iter().all(|(other, _)| other > base));
        let (left, right) = (height(left), height(right));
        assert!(left.abs_diff(right) <= 1, "{left} and {right}");
        assert_eq!(*height_written, 1 + left.max(right));
        *height_written
    }
    height(&nodes(set));
}

fn basics() {
    let seqs = [22, 222, 2000, 2, 2, 4];
    let mut set = SeqSet::new();
    for seq in seqs {
        set.insert(seq);
        assert!(set.contains(seq));
    }
    assert_eq!((set.nodes(), set.len()), (1, 5));
    assert_eq!(nodes(&set), [(0, 1)]);
}

fn leans() {
    let downwards: SeqSet = (1..=4 * NODE_BITS).rev().collect();
    assert_eq!((downwards.nodes(), downwards.len()), (5, 4 * NODE_BITS));
    assert_balanced(&downwards);
    let upwards: SeqSet = (0..4 * NODE_BITS).collect();
    assert_eq!((upwards.nodes(), upwards.len()), (4, 4 * NODE_BITS));
    assert_balanced(&upwards);
}

fn correctness() {
    crate::exercises!("gap_areas", "1.7");
    let mut rng = Rng::from_seed(1);
    let (mut set, mut model) = (SeqSet::new(), BTreeSet::new());
    for _ in 0..100_000 {
        let seq = rng.below(500_001);
        assert_eq!(set.insert(seq), model.insert(seq));
    }
    for seq in 0..=500_000 {
        assert_eq!(set.contains(seq), model.contains(&seq));
    }
}

fn range() {
    let count = 2 * NODE_BITS + 22;
    let set: SeqSet = shuffled(count, 2).into_iter().collect();
    assert!(set.iter().eq(0..count));
    assert!(set.iter().take_while(|seq| *seq < 10).eq(0..10));
    assert!(set.iter_from(NODE_BITS - 1).eq(NODE_BITS - 1..count));
}

fn delete() {
    let seqs = [22, 222, 2222, 2, 2, 4];
    let mut set = set(&seqs);
    for seq in seqs {
        set.remove(seq);
        assert!(!set.contains(seq));
    }
    assert!(set.is_empty());
    assert_eq!(set.nodes(), 0);
}

fn insert_and_delete_pedantic() {
    crate::exercises!("gap_areas", "1.7");
    let seqs = shuffled(50 * NODE_BITS + 22, 3);
    let mut set = SeqSet::new();
    // Looked at whenever a node has come or gone, and now and then.
    let mut nodes = 0;
    for (n, seq) in seqs.iter().enumerate() {
        assert!(set.insert(*seq));
        if set.nodes() != nodes || n % 5000 == 0 {
            nodes = set.nodes();
            assert_balanced(&set);
        }
    }
    assert_eq!(set.nodes(), 51);
    for (n, seq) in seqs.iter().enumerate() {
        assert!(set.remove(*seq) && !set.contains(*seq));
        if set.nodes() != nodes || n % 5000 == 0 {
            nodes = set.nodes();
            assert_balanced(&set);
        }
    }
    assert!(set.is_empty());
    assert_eq!(set.nodes(), 0);
}

fn min_and_max() {
    let few = set(&[22, 222, 2222, 2, 2, 4]);
    assert_eq!((few.first(), few.last()), (Some(2), Some(2222)));
    let count = 22 * NODE_BITS + 22;
    let many: SeqSet = shuffled(count, 4).into_iter().collect();
    assert_eq!((many.first(), many.last()), (Some(0), Some(count - 1)));
    assert_eq!((SeqSet::new().first(), SeqSet::new().last()), (None, None));
}

fn clone() {
    let mut rng = Rng::from_seed(5);
    let mut set: SeqSet = (0..100_000).map(|_| rng.below(500_001)).collect();
    let copy = set.clone();
    assert_eq!((copy.len(), copy.nodes()), (set.len(), set.nodes()));
    assert_eq!(copy, set);
    // Neither is the other's.
    let first = set.first().unwrap();
    set.remove(first);
    assert!(copy.contains(first));
}

fn equal() {
    assert_eq!(SeqSet::new(), SeqSet::starting_at(7));
    // As many from the same to the same, yet others.
    assert_ne!(set(&[1, 3, 5]), set(&[1, 4, 5]));
    assert_ne!(set(&[1, 3, 5]), SeqSet::new());
    assert_ne!(SeqSet::new(), set(&[1, 3, 5]));
    assert_eq!(set(&[1, 3, 5]), set(&[5, 1, 3]));
    assert_ne!(set(&[1, 3, 5]), set(&[1, 3, 5, 7]));
}

fn union() {
    for (one, other, len) in [
        (&[22, 222, 2222, 2, 2, 4][..], &[33, 333, 3333, 3, 33_333, 333_333][..], 11),
        // In nodes of their own.
        (&[1, 10, 100, 200], &[5000, 6100, 6200, 6222], 8),
        (&[1, 2], &[2, 3], 3),
        (&[1], &[], 1),
    ] {
        let mut both = set(one);
        both.union_with(&set(other));
        assert_eq!(both.len(), len);
        assert!(one.iter().chain(other).all(|seq| both.contains(*seq)));
        let mut others_first = set(other);
        others_first.union_with(&set(one));
        assert_eq!(both, others_first);
    }
}

fn first_node() {
    for seq in [22, 222, 2222, 222_222] {
        // On the common grid, unless one is chosen.
        assert_eq!(nodes(&set(&[seq])), [(seq / NODE_BITS * NODE_BITS, 1)]);
        let mut chosen = SeqSet::starting_at(seq);
        chosen.insert(seq);
        assert_eq!(nodes(&chosen), [(seq, 1)]);
    }
}

/// A node of version 1: 64 words.
fn node_v1(base: u64, bits: &[u64]) -> Vec<u8> {
    let mut words = [0u64; 64];
    for bit in bits {
        words[(bit / 64) as usize] |= 1 << (bit % 64);
    }
    let mut out = base.to_le_bytes().to_vec();
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    out.extend_from_slice(&1u16.to_le_bytes());
    out
}

fn decode_v1() {
    crate::exercises!("gap_areas", "1.7");
    let seqs = [22, 222, 2222, 222_222, 2_222_222];
    let mut bytes = vec![22, 1];
    bytes.extend_from_slice(&3u32.to_le_bytes());
    bytes.extend_from_slice(&5u32.to_le_bytes());
    for (base, bits) in [
        (54 * 4096, &[222_222 - 54 * 4096][..]),
        (0, &[22, 222, 2222]),
        (542 * 4096, &[2_222_222 - 542 * 4096]),
    ] {
        bytes.extend(node_v1(base, bits));
    }
    let len = bytes.len();
    // What follows is not the set's.
    bytes.push(0);
    let (decoded, read) = SeqSet::decode(&bytes).unwrap();
    assert_eq!((&decoded, read), (&set(&seqs), len));
    assert_eq!(decoded.len(), 5);
    // Here the count has to be right.
    bytes[6] = 6;
    assert_eq!(SeqSet::decode(&bytes), Err(DecodeError::Encoding));
}

fn node_count_overflow() {
    for version in [1, 2] {
        for count in [u32::MAX, 0x0080_0000, 1] {
            let mut bytes = vec![22, version];
            bytes.extend_from_slice(&count.to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
            assert_eq!(SeqSet::decode(&bytes), Err(DecodeError::Encoding));
        }
    }
    let mut node = vec![22, 2, 1, 0, 0, 0, 0, 0, 0, 0];
    node.resize(10 + NODE_LEN, 0);
    assert_eq!(SeqSet::decode(&node), Ok((SeqSet::new(), node.len())));
    node[1] = 3;
    assert_eq!(SeqSet::decode(&node), Err(DecodeError::Version(3)));
    node[0] = 23;
    assert_eq!(SeqSet::decode(&node), Err(DecodeError::Encoding));
    assert_eq!(SeqSet::decode(&[22, 3]), Err(DecodeError::Encoding));
}

fn insert_into_existing_nodes() {
    let mut set: SeqSet = (0..8 * NODE_BITS).step_by(2).collect();
    let (nodes, len) = (set.nodes(), set.len());
    for seq in (1..8 * NODE_BITS).step_by(2) {
        assert!(set.insert(seq) && set.contains(seq));
    }
    assert_eq!((set.nodes(), set.len()), (nodes, len + 4 * NODE_BITS));
    assert!((0..8 * NODE_BITS).all(|seq| !set.insert(seq)));
    assert_eq!(set.len(), 8 * NODE_BITS);
    assert_balanced(&set);
}

fn unaligned_base() {
    let mut set = SeqSet::starting_at(1000);
    for seq in [1000, 1001, 1000 + NODE_BITS - 1] {
        assert!(set.insert(seq) && set.contains(seq));
    }
    assert_eq!((set.nodes(), set.len()), (1, 3));
    assert!(set.insert(1000 + NODE_BITS) && set.contains(1000 + NODE_BITS));
    assert_eq!((set.nodes(), set.len()), (2, 4));
    // Below where it was to begin there is room too.
    assert!(set.insert(5) && set.contains(5) && set.contains(1000));
    assert!(set.iter().eq([5, 1000, 1001, 999 + NODE_BITS, 1000 + NODE_BITS]));
    assert_balanced(&set);
}

fn delete_what_is_not_there() {
    let seqs = [22, 222, 2222, 222_222];
    let mut set = set(&seqs);
    let (nodes, len) = (set.nodes(), set.len());
    for seq in [0, 23, 2223, 5000, 100_000, 999_999] {
        assert!(!set.remove(seq));
    }
    assert_eq!((set.nodes(), set.len()), (nodes, len));
    assert!(set.iter().eq(seqs));
    assert!(seqs.iter().all(|seq| set.remove(*seq)));
    assert!(set.is_empty());
}

fn range_sparse() {
    let seqs = [0, 1, 63, 64, 127, 128, 2047, 2048, 4095, 4096, 100_000, 1_000_000];
    let set = set(&seqs);
    assert!(set.iter().eq(seqs));
    let mut seen = Vec::new();
    for seq in set.iter() {
        seen.push(seq);
        if seq == 64 {
            break;
        }
    }
    assert_eq!(seen, [0, 1, 63, 64]);
    assert!(set.iter_from(2048).eq(seqs[7..].iter().copied()));
}

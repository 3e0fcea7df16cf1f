use super::encoding::NODE_ENCODED_LEN;
use super::{DecodeError, NODE_BITS, SeqSet};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn encoded(set: &SeqSet) -> Vec<u8> {
    let mut out = Vec::new();
    set.encode(&mut out);
    assert_eq!(out.len(), set.encoded_len());
    out
}

/// A tree as upstream puts it together: each node below the ones before it, by its base alone.
#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
}

struct Node {
    base: u64,
    height: u16,
    children: [Option<usize>; 2],
}

impl Tree {
    fn read(bytes: &[u8]) -> Self {
        let mut tree = Self::default();
        for node in bytes[10..].chunks(NODE_ENCODED_LEN) {
            let base = u64::from_le_bytes(*node.first_chunk().unwrap());
            let height = u16::from_le_bytes(*node.last_chunk().unwrap());
            let new = tree.nodes.len();
            let mut at = (new > 0).then_some(0);
            while let Some(parent) = at {
                let side = usize::from(base >= tree.nodes[parent].base);
                let next = &mut tree.nodes[parent].children[side];
                at = *next;
                if at.is_none() {
                    *next = Some(new);
                }
            }
            tree.nodes.push(Node { base, height, children: [None, None] });
        }
        tree
    }

    /// Every height is right, no node leans, and the ranges do not touch each other.
    fn check(&self) {
        for node in &self.nodes {
            let heights = node.children.map(|child| child.map_or(0, |at| self.nodes[at].height));
            assert_eq!(node.height, 1 + heights[0].max(heights[1]));
            assert!(heights[0].abs_diff(heights[1]) <= 1);
        }
        let mut bases: Vec<u64> = self.nodes.iter().map(|node| node.base).collect();
        bases.sort_unstable();
        assert!(bases.windows(2).all(|pair| pair[1] - pair[0] >= NODE_BITS));
    }
}

#[test]
fn any_number_of_nodes_is_a_balanced_tree() {
    let mut set = SeqSet::new();
    for n in 0..200 {
        let tree = Tree::read(&encoded(&set));
        assert_eq!(tree.nodes.len(), n);
        tree.check();
        set.insert(n as u64 * 3 * NODE_BITS + 5);
    }
}

#[test]
fn the_last_sequence_of_all_has_a_place() {
    let mut set = SeqSet::starting_at(1000);
    assert!(set.insert(u64::MAX) && set.insert(0) && !set.insert(u64::MAX));
    assert_eq!((set.first(), set.last(), set.len()), (Some(0), Some(u64::MAX), 2));
    assert_eq!(set.iter_from(1).collect::<Vec<_>>(), [u64::MAX]);
    assert_eq!(SeqSet::decode(&encoded(&set)), Ok((set, 10 + 2 * NODE_ENCODED_LEN)));
}

#[test]
fn a_node_that_ends_beyond_all_sequences_is_refused() {
    let mut bytes = encoded(&SeqSet::from_iter([5]));
    bytes[10..18].copy_from_slice(&(u64::MAX - 4).to_le_bytes());
    assert_eq!(SeqSet::decode(&bytes), Err(DecodeError::Encoding));
    bytes[10..18].copy_from_slice(&(u64::MAX - 5).to_le_bytes());
    assert_eq!(SeqSet::decode(&bytes).unwrap().0, SeqSet::from_iter([u64::MAX]));
}

/// Sequences that meet in nodes, at their ends, and far away.
fn seq() -> impl Strategy<Value = u64> {
    prop_oneof![0..200u64, 2000..2100u64, 0..20_000u64, any::<u64>(), Just(u64::MAX), Just(1000u64)]
}

fn seqs(max: usize) -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(seq(), 0..max)
}

proptest! {
    #[test]
    fn follows_a_set(
        start in seq(),
        steps in prop::collection::vec((0..3u8, seq()), 0..200),
        from in seq(),
    ) {
        let (mut set, mut model) = (SeqSet::starting_at(start), BTreeSet::new());
        for (what, seq) in steps {
            match what {
                0 => prop_assert_eq!(set.remove(seq), model.remove(&seq)),
                _ => prop_assert_eq!(set.insert(seq), model.insert(seq)),
            }
            prop_assert_eq!(set.contains(seq), model.contains(&seq));
            prop_assert_eq!(set.len(), model.len() as u64);
            prop_assert_eq!(set.first(), model.first().copied());
            prop_assert_eq!(set.last(), model.last().copied());
        }
        prop_assert!(set.iter().eq(model.iter().copied()));
        prop_assert!(set.iter_from(from).eq(model.range(from..).copied()));
        prop_assert_eq!(&set, &model.iter().copied().collect());
        let bytes = encoded(&set);
        Tree::read(&bytes).check();
        prop_assert_eq!(SeqSet::decode(&bytes), Ok((set.clone(), bytes.len())));
        for seq in model {
            prop_assert!(set.remove(seq));
        }
        prop_assert!(set.is_empty() && set.nodes() == 0);
    }

    #[test]
    fn unions(starts in (seq(), seq()), one in seqs(60), other in seqs(60)) {
        let (mut a, mut b) = (SeqSet::starting_at(starts.0), SeqSet::starting_at(starts.1));
        a.extend(one.iter().copied());
        b.extend(other.iter().copied());
        let expected: SeqSet = one.iter().chain(&other).copied().collect();
        prop_assert_eq!(a == b, a.iter().eq(b.iter()));
        let mut same_grid: SeqSet = one.iter().copied().collect();
        same_grid.union_with(&other.iter().copied().collect());
        prop_assert_eq!(&same_grid, &expected);
        a.union_with(&b);
        prop_assert_eq!(a, expected);
    }

    #[test]
    fn damage_is_an_error_or_another_set(
        start in seq(),
        members in seqs(40),
        cut in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let mut set = SeqSet::starting_at(start);
        set.extend(members);
        let mut bytes = encoded(&set);
        let part = &bytes[..cut.index(bytes.len())];
        prop_assert_eq!(SeqSet::decode(part), Err(DecodeError::Encoding));
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok((other, len)) = SeqSet::decode(&bytes) {
            prop_assert!(len <= bytes.len());
            prop_assert_eq!(other.iter().count() as u64, other.len());
            Tree::read(&encoded(&other)).check();
        }
    }
}

proptest! {
    #[test]
    fn gaps_are_found(
        runs in prop::collection::vec((0..10_000_u64, 1..5000_u64), 0..6),
        shift in prop_oneof![Just(0), 1..3000_u64], asked in prop::collection::vec(0..16_000_u64, 20),
    ) {
        let mut set = SeqSet::starting_at(shift);
        runs.iter().for_each(|(first, count)| set.extend(*first..first + count));
        for seq in asked {
            let mut from = seq..;
            prop_assert_eq!(set.absent_from(seq), from.find(|seq| !set.contains(*seq)));
            let mut to = (0..=seq).rev();
            prop_assert_eq!(set.absent_to(seq), to.find(|seq| !set.contains(*seq)));
        }
    }
}

#[test]
fn there_may_be_no_gap() {
    let set: SeqSet = (u64::MAX - 3000..=u64::MAX).chain(0..3000).collect();
    assert_eq!((set.absent_from(u64::MAX - 2000), set.absent_to(2000)), (None, None));
    assert_eq!((set.absent_from(0), set.absent_to(u64::MAX)), (Some(3000), Some(u64::MAX - 3001)));
}

//! [`SeqSet`]: a sparse set of sequence numbers, as the store keeps deleted ones.
//! Go: `server/avl`.
//!
//! Sequences live in nodes of 2048 bits. All nodes stand on one grid, so a sequence belongs to
//! exactly one of them; the grid may be shifted so that a set which is known to begin somewhere
//! needs one node less. No node is empty. The encoding is that of a balanced tree, which upstream
//! rebuilds from it; here the nodes are in an ordered map.

mod encoding;

pub use encoding::{DecodeError, NODE_ENCODED_LEN};

use std::collections::BTreeMap;
use std::fmt;

/// Sequences in a node.
pub const NODE_BITS: u64 = 2048;
const WORDS: usize = (NODE_BITS / 64) as usize;

/// The bits of a node, the lowest sequence first.
type Bits = [u64; WORDS];

/// A set of sequence numbers; dense stretches cost a bit and an eighth a sequence.
#[derive(Clone, Default)]
pub struct SeqSet {
    /// Nodes by their place on the grid; the first sequence of one is `place * NODE_BITS + shift`.
    nodes: BTreeMap<u64, Box<Bits>>,
    /// Where the grid begins, below [`NODE_BITS`]. No member is less.
    shift: u64,
    len: u64,
}

impl SeqSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty set whose lowest sequence will be `min`: its first node begins there. Lower ones
    /// may still be inserted.
    pub fn starting_at(min: u64) -> Self {
        Self { shift: min % NODE_BITS, ..Self::default() }
    }

    /// Sequences in the set.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Nodes in use: what the memory and the length of the encoding are proportional to.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Takes `seq` in; false if it was there.
    pub fn insert(&mut self, seq: u64) -> bool {
        if seq < self.shift {
            self.realign();
        }
        let (place, word, bit) = self.locate(seq);
        let bits = self.nodes.entry(place).or_insert_with(|| Box::new([0; WORDS]));
        let new = bits[word] & bit == 0;
        bits[word] |= bit;
        self.len += u64::from(new);
        new
    }

    /// Whether `seq` is in the set.
    pub fn contains(&self, seq: u64) -> bool {
        if seq < self.shift {
            return false;
        }
        let (place, word, bit) = self.locate(seq);
        self.nodes.get(&place).is_some_and(|bits| bits[word] & bit != 0)
    }

    /// Takes `seq` out; whether it was there.
    pub fn remove(&mut self, seq: u64) -> bool {
        if seq < self.shift {
            return false;
        }
        let (place, word, bit) = self.locate(seq);
        let Some(bits) = self.nodes.get_mut(&place) else { return false };
        if bits[word] & bit == 0 {
            return false;
        }
        bits[word] &= !bit;
        self.len -= 1;
        if bits.iter().all(|word| *word == 0) {
            self.nodes.remove(&place);
        }
        true
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The lowest sequence.
    pub fn first(&self) -> Option<u64> {
        self.iter().next()
    }

    /// The highest sequence.
    pub fn last(&self) -> Option<u64> {
        let (place, bits) = self.nodes.last_key_value()?;
        let word = bits.iter().rposition(|word| *word != 0)?;
        Some(self.base(*place) + word as u64 * 64 + u64::from(63 - bits[word].leading_zeros()))
    }

    /// The sequences in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.words().flat_map(|(base, word)| ones(word).map(move |bit| base + bit))
    }

    /// The sequences from `start` on, in ascending order.
    pub fn iter_from(&self, start: u64) -> impl Iterator<Item = u64> {
        let place = start.saturating_sub(self.shift) / NODE_BITS;
        let words = self.nodes.range(place..).flat_map(|(place, bits)| self.words_of(*place, bits));
        words
            .flat_map(|(base, word)| ones(word).map(move |bit| base + bit))
            .skip_while(move |seq| *seq < start)
    }

    /// The first sequence from `seq` on that is not in the set; `None` if there is none.
    pub fn absent_from(&self, mut seq: u64) -> Option<u64> {
        while seq >= self.shift {
            let (place, word, bit) = self.locate(seq);
            let Some(bits) = self.nodes.get(&place) else { break };
            let at = bit.trailing_zeros();
            let run = (bits[word] >> at).trailing_ones();
            seq = seq.checked_add(run.into())?;
            if at + run < 64 {
                break;
            }
        }
        Some(seq)
    }

    /// The last sequence up to `seq` that is not in the set; `None` if there is none.
    pub fn absent_to(&self, mut seq: u64) -> Option<u64> {
        while seq >= self.shift {
            let (place, word, bit) = self.locate(seq);
            let Some(bits) = self.nodes.get(&place) else { break };
            let at = bit.trailing_zeros();
            let run = (bits[word] << (63 - at)).leading_ones();
            seq = seq.checked_sub(run.into())?;
            if run <= at {
                break;
            }
        }
        Some(seq)
    }

    /// Takes in everything that is in `other`.
    pub fn union_with(&mut self, other: &SeqSet) {
        if self.shift != other.shift {
            self.extend(other.iter());
            return;
        }
        for (place, more) in &other.nodes {
            let bits = self.nodes.entry(*place).or_insert_with(|| Box::new([0; WORDS]));
            for (word, more) in bits.iter_mut().zip(more.iter()) {
                self.len += u64::from((*more & !*word).count_ones());
                *word |= more;
            }
        }
    }

    /// Place, word and bit of a sequence that is not below the shift.
    fn locate(&self, seq: u64) -> (u64, usize, u64) {
        let at = seq - self.shift;
        (at / NODE_BITS, (at % NODE_BITS / 64) as usize, 1 << (at % 64))
    }

    /// The first sequence of a node.
    fn base(&self, place: u64) -> u64 {
        place * NODE_BITS + self.shift
    }

    /// Every word that has members, with the sequence of its lowest bit.
    fn words(&self) -> impl Iterator<Item = (u64, u64)> {
        self.nodes.iter().flat_map(|(place, bits)| self.words_of(*place, bits))
    }

    fn words_of(&self, place: u64, bits: &Bits) -> impl Iterator<Item = (u64, u64)> {
        let base = self.base(place);
        let words = (0..).zip(bits.iter()).filter(|(_, word)| **word != 0);
        words.map(move |(at, word)| (base + at * 64, *word))
    }

    /// Puts the grid back to 0, for a sequence below the shift.
    fn realign(&mut self) {
        *self = self.iter().collect();
    }
}

/// The numbers of the bits that are set.
fn ones(mut word: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| u64::from(word.trailing_zeros()))?;
        word &= word - 1;
        Some(bit)
    })
}

/// Sets are equal when they have the same members.
impl PartialEq for SeqSet {
    fn eq(&self, other: &Self) -> bool {
        if self.shift == other.shift {
            return self.len == other.len && self.nodes == other.nodes;
        }
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for SeqSet {}

impl Extend<u64> for SeqSet {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, seqs: I) {
        for seq in seqs {
            self.insert(seq);
        }
    }
}

impl FromIterator<u64> for SeqSet {
    fn from_iter<I: IntoIterator<Item = u64>>(seqs: I) -> Self {
        let mut set = Self::default();
        set.extend(seqs);
        set
    }
}

impl fmt::Debug for SeqSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;

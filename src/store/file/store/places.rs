//! Where in a block the records of its messages begin.

/// Places by sequence, four bytes for each sequence between the first and the last.
#[derive(Debug, Default)]
pub(super) struct Places {
    base: u64,
    at: Vec<u32>,
}

/// Sequences that a block spans at most: no server writes more, what lies further is damage.
pub(super) const SPAN_MAX: usize = 16 << 20;
/// No record has this sequence.
const NOWHERE: u32 = u32::MAX;

impl Places {
    /// A message above all before is at this place. What does not go up was superseded, and is
    /// left out.
    pub fn push(&mut self, seq: u64, at: u32) {
        if self.at.is_empty() {
            self.base = seq;
        }
        let Some(slot) = seq.checked_sub(self.base).and_then(|slot| usize::try_from(slot).ok())
        else {
            return;
        };
        if slot < self.at.len() || slot >= SPAN_MAX {
            return;
        }
        self.at.resize(slot, NOWHERE);
        self.at.push(at);
    }

    /// Where the record of a message is.
    pub fn get(&self, seq: u64) -> Option<u32> {
        let slot = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        self.at.get(slot).copied().filter(|at| *at != NOWHERE)
    }
}

//! Output that waits for its socket.

use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;

/// Chunks grow up to this size, bytes.
const CHUNK_MAX: usize = 64 * 1024;
/// Smallest chunk, bytes.
const CHUNK_MIN: usize = 1024;
/// Chunks handed to one write.
const CHUNKS_PER_WRITE: usize = 64;

/// Written chunks that a thread keeps at most, to use them again.
const SPARE_MAX: usize = 8;

thread_local! {
    /// The allocator would give the memory of chunks back to the system whenever a connection has
    /// caught up, and fetch it page by page when it is behind again.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty chunk of [`CHUNK_MAX`] bytes.
fn large_chunk() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Vec::with_capacity(CHUNK_MAX))
}

/// Keeps a chunk that was written, if it is large and not too many are kept.
fn keep(mut chunk: Vec<u8>) {
    SPARE.with_borrow_mut(|spare| {
        if chunk.capacity() == CHUNK_MAX && spare.len() < SPARE_MAX {
            chunk.clear();
            spare.push(chunk);
        }
    });
}

/// A queue of bytes in pieces that are never moved once they are written to.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    list: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that are gone.
    taken: usize,
}

impl Chunks {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Number of chunks.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Bytes in all.
    pub(super) fn len(&self) -> usize {
        self.list.iter().map(Vec::len).sum::<usize>() - self.taken
    }

    /// Adds a copy of `part` at the end.
    pub(super) fn append(&mut self, mut part: &[u8]) {
        while !part.is_empty() {
            match self.list.back_mut().filter(|c| c.len() < c.capacity()) {
                Some(chunk) => {
                    let n = part.len().min(chunk.capacity() - chunk.len());
                    chunk.extend_from_slice(&part[..n]);
                    part = &part[n..];
                }
                None => {
                    let size = part.len().next_power_of_two().clamp(CHUNK_MIN, CHUNK_MAX);
                    // The second chunk and on are full size: whoever gets there is behind.
                    let is_large = !self.list.is_empty() || size == CHUNK_MAX;
                    let chunk = if is_large { large_chunk() } else { Vec::with_capacity(size) };
                    self.list.push_back(chunk);
                }
            }
        }
    }

    /// What one write may take.
    pub(super) fn front(&self) -> SmallVec<[IoSlice<'_>; 8]> {
        let chunks = self.list.iter().take(CHUNKS_PER_WRITE);
        let mut front: SmallVec<[IoSlice<'_>; 8]> = chunks.map(|c| IoSlice::new(c)).collect();
        if let (Some(first), Some(chunk)) = (front.first_mut(), self.list.front()) {
            *first = IoSlice::new(&chunk[self.taken..]);
        }
        front
    }

    /// Takes `n` bytes off the front.
    pub(super) fn advance(&mut self, n: usize) {
        let mut taken = self.taken + n;
        while let Some(front) = self.list.pop_front_if(|front| front.len() <= taken) {
            taken -= front.len();
            keep(front);
        }
        self.taken = if self.list.is_empty() { 0 } else { taken };
    }

    /// Puts these before `later`, none of which was taken from yet.
    pub(super) fn put_before(mut self, later: &mut Self) {
        debug_assert_eq!(later.taken, 0, "only who holds all chunks takes from them");
        if !self.is_empty() {
            self.list.append(&mut later.list);
            *later = self;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(chunks: &Chunks) -> Vec<u8> {
        chunks.front().iter().flat_map(|part| part.to_vec()).collect()
    }

    #[test]
    fn bytes_leave_in_the_order_they_came() {
        let mut chunks = Chunks::default();
        let bytes: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
        bytes.chunks(700).for_each(|part| chunks.append(part));
        assert!(chunks.count() > 1);
        let mut left = &bytes[..];
        for n in [0, 1, 1023, 1, 2000, left.len() - 3025] {
            chunks.advance(n);
            left = &left[n..];
            assert_eq!((content(&chunks), chunks.len()), (left.to_vec(), left.len()));
        }
        assert!(chunks.is_empty());
    }

    #[test]
    fn what_was_not_written_goes_before_what_came_meanwhile() {
        let (mut rest, mut later) = (Chunks::default(), Chunks::default());
        rest.append(b"first");
        rest.advance(2);
        later.append(b"then");
        rest.put_before(&mut later);
        later.append(b" last");
        assert_eq!(content(&later), b"rstthen last");
        Chunks::default().put_before(&mut Chunks::default());
    }

    #[test]
    fn large_chunks_are_used_again() {
        let spare = || SPARE.with_borrow(Vec::len);
        let mut chunks = Chunks::default();
        let many = vec![1; (SPARE_MAX + 2) * CHUNK_MAX];
        chunks.append(&many);
        chunks.advance(many.len());
        assert_eq!(spare(), SPARE_MAX);
        chunks.append(&many[..2 * CHUNK_MAX]);
        assert_eq!((spare(), chunks.len()), (SPARE_MAX - 2, 2 * CHUNK_MAX));
        assert_eq!(content(&chunks), many[..2 * CHUNK_MAX]);
        // Small ones are not worth it.
        let mut chunks = Chunks::default();
        chunks.append(b"few");
        chunks.advance(3);
        assert_eq!(spare(), SPARE_MAX - 2);
    }
}

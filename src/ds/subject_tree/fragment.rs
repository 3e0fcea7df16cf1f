//! [`Fragment`]: the short byte strings that a tree is made of.

use std::ops::Deref;

/// Bytes kept without an allocation.
const INLINE: usize = 22;

/// An owned byte string of 24 bytes, which holds up to 22 without an allocation.
#[derive(Clone, Debug)]
pub(super) enum Fragment {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Fragment {
    pub(super) const EMPTY: Self = Self::Inline { len: 0, bytes: [0; INLINE] };

    pub(super) fn new(text: &[u8]) -> Self {
        Self::concat(text, &[])
    }

    pub(super) fn concat(head: &[u8], tail: &[u8]) -> Self {
        let len = head.len() + tail.len();
        if len > INLINE {
            return Self::Heap([head, tail].concat().into_boxed_slice());
        }
        let mut bytes = [0; INLINE];
        bytes[..head.len()].copy_from_slice(head);
        bytes[head.len()..len].copy_from_slice(tail);
        Self::Inline { len: len as u8, bytes }
    }

    /// Drops the first `n` bytes.
    pub(super) fn trim_front(&mut self, n: usize) {
        *self = Self::new(&self[n..]);
    }

    pub(super) fn insert(&mut self, at: usize, byte: u8) {
        match self {
            Self::Inline { len, bytes } if usize::from(*len) < INLINE => {
                bytes.copy_within(at..usize::from(*len), at + 1);
                bytes[at] = byte;
                *len += 1;
            }
            _ => {
                let mut grown = Vec::with_capacity(self.len() + 1);
                grown.extend_from_slice(&self[..at]);
                grown.push(byte);
                grown.extend_from_slice(&self[at..]);
                *self = Self::Heap(grown.into_boxed_slice());
            }
        }
    }

    pub(super) fn remove(&mut self, at: usize) {
        *self = Self::concat(&self[..at], &self[at + 1..]);
    }
}

impl Deref for Fragment {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Self::Heap(bytes) => bytes,
        }
    }
}

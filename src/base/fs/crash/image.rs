//! One file of a [`super::CrashFs`]: what a program sees, what the medium holds, and the changes
//! between the two.

use crate::base::Rng;

/// Bytes that a disk writes all or nothing of.
const SECTOR: usize = 512;

/// A change of a file that no sync has made durable.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => put(image, *offset, data),
            Self::SetLen(len) => image.resize(*len, 0),
        }
    }
}

fn put(image: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(data);
}

/// A file's two images.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FileImage {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// What leads from `durable` to `live`, oldest first.
    pending: Vec<Change>,
    /// Changes that a failed sync gave up: `live` shows them, no later sync writes them.
    given_up: Vec<Change>,
}

impl FileImage {
    /// A file whose content survives.
    pub(super) fn settled(content: Vec<u8>) -> Self {
        Self { live: content.clone(), durable: content, ..Self::default() }
    }

    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        put(&mut self.live, offset, data);
        self.pending.push(Change::Write { offset, data: data.to_vec() });
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.live.resize(len, 0);
        self.pending.push(Change::SetLen(len));
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync that failed: the kernel marks the pages clean all the same.
    pub(super) fn sync_failed(&mut self) {
        self.given_up.append(&mut self.pending);
    }

    /// Changes the medium itself, in both images. False when `offset` is past the end.
    pub(super) fn damage(&mut self, offset: usize, mask: u8) -> bool {
        for image in [&mut self.live, &mut self.durable] {
            if let Some(byte) = image.get_mut(offset) {
                *byte ^= mask;
            }
        }
        offset < self.live.len()
    }

    /// Cuts both images.
    pub(super) fn cut(&mut self, len: usize) {
        self.sync();
        for image in [&mut self.live, &mut self.durable] {
            image.truncate(len);
        }
    }

    /// What the medium holds after power loss.
    pub(super) fn after_power_loss(&self, rng: &mut Rng) -> Vec<u8> {
        let mut image = self.durable.clone();
        let mut changes: Vec<&Change> = self.given_up.iter().chain(&self.pending).collect();
        match rng.below(5) {
            // Nothing of it was on its way yet.
            0 => {}
            // All of it had got there.
            1 => changes.iter().for_each(|change| change.apply(&mut image)),
            // In order up to some byte.
            2 => in_order(&changes, &mut image, rng),
            // The sizes, but not all of the data (blocks allocated, never written).
            3 => sizes_first(&changes, &mut image, rng),
            // Any sectors, in any order.
            _ => {
                shuffle(&mut changes, rng);
                for change in changes {
                    scattered(change, &mut image, rng);
                }
            }
        }
        image
    }
}

fn in_order(changes: &[&Change], image: &mut Vec<u8>, rng: &mut Rng) {
    let kept = rng.below(changes.len() as u64 + 1) as usize;
    changes[..kept].iter().for_each(|change| change.apply(image));
    if let Some(Change::Write { offset, data }) = changes.get(kept) {
        let len = rng.below(data.len() as u64 + 1) as usize;
        put(image, *offset, &data[..len]);
    }
}

fn sizes_first(changes: &[&Change], image: &mut Vec<u8>, rng: &mut Rng) {
    for change in changes {
        match change {
            Change::SetLen(len) => image.resize(*len, 0),
            Change::Write { offset, data } => {
                let end = offset + data.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                if rng.below(2) == 0 {
                    put(image, *offset, data);
                }
            }
        }
    }
}

fn scattered(change: &Change, image: &mut Vec<u8>, rng: &mut Rng) {
    match change {
        Change::SetLen(_) => {
            if rng.below(2) == 0 {
                change.apply(image);
            }
        }
        Change::Write { offset, data } => {
            let mut from = 0;
            while from < data.len() {
                let until = (SECTOR - (offset + from) % SECTOR + from).min(data.len());
                if rng.below(2) == 0 {
                    put(image, offset + from, &data[from..until]);
                }
                from = until;
            }
        }
    }
}

fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.below(i as u64 + 1) as usize);
    }
}

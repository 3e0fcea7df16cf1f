//! The running store of a stream in files: what is there when it is opened again, with its index,
//! without it, with an older one, and with files that are gone or damaged.

mod compaction;
mod expiry;
mod index;
mod queries;
mod recovery;
pub(super) mod stream;

crate::collect! {
    compaction,
    expiry,
    index,
    queries,
    recovery,
}

//! The store of a stream's messages in files: what is removed from it, one by one and many at once,
//! what is left of that in the files, and what a disk may do meanwhile.

mod compacted;
mod counted;
mod damaged;
mod disk;
mod full;
mod purged;
mod removed;
mod truncated;

crate::collect! {
    compacted,
    counted,
    damaged,
    full,
    purged,
    removed,
    truncated,
}

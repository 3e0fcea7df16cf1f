//! The store of a stream's messages in files: what it holds, and what is found of it again. Of
//! upstream's `filestore_test.go`.

mod basics;
/// Shared with the other folders of file stores.
pub(super) mod files;
mod limits;

crate::collect! {
    basics,
    limits,
}

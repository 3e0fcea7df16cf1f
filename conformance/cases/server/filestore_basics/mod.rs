//! The store of a stream's messages in files: what it holds, and what is found of it again. Of
//! upstream's `filestore_test.go`.

mod basics;
mod files;
mod limits;

crate::collect! {
    basics,
    limits,
}

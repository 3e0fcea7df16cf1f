//! Cases about the running store of a stream's messages in files: what removals leave, what a store
//! that is opened again finds, and what is kept beside the messages.

mod derived;
mod files;
mod gaps;
mod reading;
mod reopened;
mod rewritten;

crate::collect! {
    derived,
    gaps,
    reading,
    reopened,
    rewritten,
}

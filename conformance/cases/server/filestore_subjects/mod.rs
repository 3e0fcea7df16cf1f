//! The store of a stream's messages in files: what it knows of subjects without reading messages,
//! what it does when its disk fails, and what is kept beside the messages.

mod beside;
mod counts;
mod faults;
mod meta;

crate::collect! {
    beside,
    counts,
    faults,
    meta,
}

//! The cases of `server/sublist_test.go`, by topic. Upstream's sublist has a cache of its own; here
//! the worker threads keep the results. Every question is therefore asked both ways: of the list
//! itself, and through a worker's cache until the answer comes out of that.

mod caches;
mod interest;
mod matching;
mod removing;
mod subjects;
mod threads;
mod world;

crate::collect! {
    caches,
    interest,
    matching,
    removing,
    subjects,
    threads,
}

//! The cases about the stores of a stream's messages: `memstore` and `memstore_queries` are of
//! upstream's `memstore_test.go`, the others of `store_test.go`, whose tests run on every kind.

mod kinds;
mod memstore;
mod memstore_queries;
mod store;
mod store_limits;
mod store_queries;
mod store_times;

crate::collect! {
    memstore,
    memstore_queries,
    store,
    store_limits,
    store_queries,
    store_times,
}

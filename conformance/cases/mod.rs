//! The ported cases: one module per Go test file, in folders as upstream has them.
//!
//! A new file is one `mod` line and one line in `collect!`, both sorted.

mod better;
mod conf;
mod field;
mod logger;
mod server;
mod test;

crate::collect! {
    better,
    conf,
    field,
    logger,
    server,
    test,
}

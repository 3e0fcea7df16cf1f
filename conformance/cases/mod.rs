//! The ported cases: one module per Go test file, in folders as upstream has them.
//!
//! A new file is one `mod` line and one line in `collect!`, both sorted.

mod conf;
mod logger;
mod server;
mod test;

crate::collect! {
    conf,
    logger,
    server,
    test,
}

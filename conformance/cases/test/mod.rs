//! Cases of upstream's `test/` folder.

mod ping;
mod verbose;

crate::collect! {
    ping,
    verbose,
}

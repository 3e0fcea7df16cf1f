//! Cases of upstream's `server/` folder.

mod log;
mod ping;

crate::collect! {
    log,
    ping,
}

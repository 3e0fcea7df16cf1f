//! Cases of upstream's `server/` folder.

mod ping;

crate::collect! {
    ping,
}

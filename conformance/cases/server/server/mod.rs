//! The cases of `server/server_test.go`, by topic.

mod info;
mod lame_duck;
mod life;
mod limits;
mod start;
mod tls;

crate::collect! {
    info,
    lame_duck,
    life,
    limits,
    start,
    tls,
}

//! The cases of `server/monitor_test.go`, by topic.

mod closed;
mod connz;
mod endpoints;
mod seen;
mod sorted;
mod subsz;

crate::collect! {
    closed,
    connz,
    endpoints,
    sorted,
    subsz,
}

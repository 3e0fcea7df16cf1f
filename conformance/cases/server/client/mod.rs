//! The cases of `server/client_test.go`, by topic. What it says of the header block alone is in
//! `headers.rs` next door.

mod closing;
mod delivery;
mod hello;
mod internals;
mod long_lines;
mod message_headers;
mod monitored;
mod naming;
mod permissions;
mod slow;
mod tls;
mod trace;
mod unsubscribe;

crate::collect! {
    closing,
    delivery,
    hello,
    internals,
    long_lines,
    message_headers,
    monitored,
    naming,
    permissions,
    slow,
    tls,
    trace,
    unsubscribe,
}

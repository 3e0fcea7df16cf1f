//! Cases of upstream's `server/` folder.

mod client;
mod client_proxyproto;
mod errors;
mod feature_flags;
mod gsl;
mod headers;
mod ipqueue;
mod log;
mod opts;
mod parser;
mod parser_fuzz;
mod ping;
mod rate_counter;
mod reload;
mod ring;
mod server;
mod signal;
mod split;
mod stree;
mod subject_fuzz;
mod subject_transform;
mod sublist;
mod util;

crate::collect! {
    client,
    client_proxyproto,
    errors,
    feature_flags,
    gsl,
    headers,
    ipqueue,
    log,
    opts,
    parser,
    parser_fuzz,
    ping,
    rate_counter,
    reload,
    ring,
    server,
    signal,
    split,
    stree,
    subject_fuzz,
    subject_transform,
    sublist,
    util,
}

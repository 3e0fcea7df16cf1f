//! Cases of upstream's `server/` folder.

mod client_proxyproto;
mod closed_conns;
mod errors;
mod gsl;
mod headers;
mod ipqueue;
mod log;
mod monitor;
mod monitor_shapes;
mod opts;
mod ping;
mod rate_counter;
mod ring;
mod stree;
mod subject_fuzz;
mod subject_transform;
mod util;

crate::collect! {
    client_proxyproto,
    closed_conns,
    errors,
    gsl,
    headers,
    ipqueue,
    log,
    monitor,
    monitor_shapes,
    opts,
    ping,
    rate_counter,
    ring,
    stree,
    subject_fuzz,
    subject_transform,
    util,
}

//! Cases of upstream's `server/` folder.

<<<<<<< HEAD
mod log;
=======
mod client_proxyproto;
mod errors;
mod gsl;
mod headers;
mod ipqueue;
>>>>>>> ds
mod ping;
mod rate_counter;
mod ring;
mod stree;
mod subject_fuzz;
mod subject_transform;
mod util;

crate::collect! {
<<<<<<< HEAD
    log,
=======
    client_proxyproto,
    errors,
    gsl,
    headers,
    ipqueue,
>>>>>>> ds
    ping,
    rate_counter,
    ring,
    stree,
    subject_fuzz,
    subject_transform,
    util,
}

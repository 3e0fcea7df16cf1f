//! Cases of upstream's `test/` folder.

mod auth;
mod client_auth;
mod fanout;
mod gosrv;
mod log;
mod maxpayload;
mod opts;
mod pedantic;
mod pid;
mod ping;
mod port;
mod ports;
mod proto;
#[expect(clippy::module_inception, reason = "named after the Go file")]
mod test;
mod user_authorization;
mod verbose;

crate::collect! {
    auth,
    client_auth,
    fanout,
    gosrv,
    log,
    maxpayload,
    opts,
    pedantic,
    pid,
    ping,
    port,
    ports,
    proto,
    test,
    user_authorization,
    verbose,
}

//! Cases of upstream's `test/` folder.

mod fanout;
mod gosrv;
mod log;
mod maxpayload;
mod pedantic;
mod pid;
mod ping;
mod port;
mod ports;
mod proto;
#[expect(clippy::module_inception, reason = "named after the Go file")]
mod test;
mod verbose;

crate::collect! {
    fanout,
    gosrv,
    log,
    maxpayload,
    pedantic,
    pid,
    ping,
    port,
    ports,
    proto,
    test,
    verbose,
}

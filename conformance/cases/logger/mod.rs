//! Cases of upstream's `logger/` folder.

mod log;
mod syslog;
mod syslog_windows;

crate::collect! {
    log,
    syslog,
    syslog_windows,
}

//! TLS by rustls; nothing outside this module names rustls configuration types.

pub mod options;

pub use options::TlsOptions;
pub mod session;

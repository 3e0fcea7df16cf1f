//! TLS by rustls; nothing outside this module names rustls configuration types.

mod load;
mod names;
pub mod options;
mod pem;
pub mod pinned;
pub mod session;

pub use load::{
    TlsError, check_names, load_client_config, load_server_config, own_certificate, warnings,
};
pub use names::{
    cipher_name, curve_names, insecure_suite, parse_min_version, suite_names, version_name,
};
pub use options::TlsOptions;

//! What connections take from the configuration: replaced as a whole by a reload.

use crate::auth::authenticator::Authenticator;
use crate::config::options::{Options, WriteTimeoutPolicy};
use crate::wire::parser::Limits;
use std::sync::Arc;

/// The configuration as connections need it.
#[derive(Debug)]
pub struct Settings {
    /// Grows with every reload; connections notice by it that they must look again.
    pub generation: u64,
    /// All of it.
    pub options: Arc<Options>,
    /// TLS for clients, certificates loaded.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// TLS for monitoring: the same certificates, and nobody is asked for one.
    pub monitor_tls: Option<Arc<rustls::ServerConfig>>,
    /// When the certificate for clients expires, nanoseconds since the Unix epoch.
    pub tls_not_after_ns: Option<i64>,
    /// Who may connect.
    pub authenticator: Arc<Authenticator>,
    /// When this was loaded, nanoseconds since the Unix epoch.
    pub loaded_ns: i64,
}

impl Settings {
    /// The parser's limits for a connection with or without headers.
    pub fn limits(&self, headers: bool) -> Limits {
        Limits {
            max_control_line: usize::try_from(self.options.max_control_line).unwrap_or(0),
            max_payload: usize::try_from(self.options.max_payload).ok(),
            headers,
        }
    }

    /// A write deadline that passes only draws a warning.
    pub fn retries_writes(&self) -> bool {
        self.options.write_timeout == WriteTimeoutPolicy::Retry
    }
}

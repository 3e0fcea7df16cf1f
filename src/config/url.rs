//! [`Url`]: a URL as Go's `net/url` takes it apart, as far as server addresses need it.

use super::Secret;
use std::fmt;

/// A parsed URL.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Url {
    /// Lower-case scheme; may be empty.
    pub scheme: String,
    /// User name, if there is user information.
    pub username: Option<String>,
    /// Password, if there is one.
    pub password: Option<Secret>,
    /// `host:port`, `[v6]:port` or a bare host.
    pub host: String,
    /// Path, query and fragment as written.
    pub rest: String,
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.redacted())
    }
}

impl Url {
    /// Whether the host carries a port.
    pub fn port(&self) -> Option<&str> {
        let tail = self.host.rsplit_once(']').map_or(self.host.as_str(), |(_, tail)| tail);
        tail.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty())
    }

    /// Adds a port if there is none.
    pub(super) fn default_port(&mut self, port: u16) {
        if self.port().is_none() {
            let host = self.host.trim_end_matches(':');
            self.host = format!("{host}:{port}");
        }
    }

    /// The URL with `xxxxx` in place of a password.
    pub fn redacted(&self) -> String {
        self.text(self.password.as_ref().map(|_| "xxxxx"))
    }

    /// The URL with its password.
    pub fn with_secrets(&self) -> String {
        self.text(self.password.as_deref())
    }

    fn text(&self, password: Option<&str>) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if !self.scheme.is_empty() || !self.host.is_empty() || self.username.is_some() {
            out.push_str("//");
        }
        if let Some(user) = &self.username {
            out.push_str(user);
            if let Some(password) = password {
                out.push(':');
                out.push_str(password);
            }
            out.push('@');
        }
        out.push_str(&self.host);
        out.push_str(&self.rest);
        out
    }
}

//! Configuration files for the scenarios that need one.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::Result;
use crate::conn::Target;

/// How a server is configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settings {
    /// No configuration file.
    Plain,
    Tls,
    /// Users whose permissions list subjects to publish and to subscribe to.
    Permissions,
    /// 100 subject mappings.
    Mappings,
    /// 1,000 users with passwords.
    Users,
}

impl Settings {
    /// Writes the file into `folder` and tells `target` how to log in.
    pub fn write(self, folder: &Path, target: &mut Target) -> Result<Option<PathBuf>> {
        let text = match self {
            Settings::Plain => return Ok(None),
            Settings::Tls => {
                let (text, client) = tls(folder)?;
                target.tls = Some(client);
                text
            }
            Settings::Permissions => {
                target.login = Some(login(1));
                permissions()
            }
            Settings::Mappings => mappings(),
            Settings::Users => {
                target.login = Some(login(500));
                users()
            }
        };
        let path = folder.join("server.conf");
        fs::write(&path, text).map_err(|e| e.to_string())?;
        Ok(Some(path))
    }
}

fn login(user: usize) -> (String, String) {
    (format!("user{user}"), format!("password-{user}"))
}

fn permissions() -> String {
    let mut text = String::from("authorization {\n  users = [\n");
    for user in 0..10 {
        let (name, password) = login(user);
        let _ = write!(
            text,
            r#"    {{ user: {name}, password: "{password}", permissions: {{
      publish: {{ allow: ["load.>", "orders.*.new", "orders.*.done", "_INBOX.>", "audit.{user}"],
                 deny: ["load.secret.>", "admin.>"] }}
      subscribe: {{ allow: ["load.>", "orders.>", "_INBOX.>", "news.*"],
                   deny: ["load.secret.*", "audit.>"] }} }} }}
"#
        );
    }
    text + "  ]\n}\n"
}

fn mappings() -> String {
    let mut text = String::from("mappings = {\n");
    for number in 0..100 {
        let _ = writeln!(text, "  \"old.{number:02}\": \"new.{number:02}\"");
    }
    text + "}\n"
}

fn users() -> String {
    let mut text = String::from("authorization {\n  users = [\n");
    for user in 0..1000 {
        let (name, password) = login(user);
        let _ = writeln!(text, "    {{ user: {name}, password: \"{password}\" }}");
    }
    text + "  ]\n}\n"
}

/// A certificate of our own for 127.0.0.1, the configuration that serves it and a client that
/// trusts it.
fn tls(folder: &Path) -> Result<(String, Arc<ClientConfig>)> {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .map_err(|e| format!("making a certificate: {e}"))?;
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&cert, issued.cert.pem()).map_err(|e| e.to_string())?;
    fs::write(&key, issued.signing_key.serialize_pem()).map_err(|e| e.to_string())?;
    let mut roots = RootCertStore::empty();
    roots.add(issued.cert.der().clone()).map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (cert, key) = (cert.display(), key.display());
    let text = format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\", timeout: 5 }}\n");
    Ok((text, Arc::new(client)))
}

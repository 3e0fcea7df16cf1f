//! Names of cipher suites, curves and versions: those of Go, which configurations and /connz use.

use rustls::crypto::{SupportedKxGroup, aws_lc_rs};
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite};

/// A cipher suite that upstream has a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    id: u16,
    /// Only with `allow_insecure_cipher_suites`.
    pub(super) insecure: bool,
}

const fn secure(name: &'static str, id: u16) -> Suite {
    Suite { name, id, insecure: false }
}

const fn insecure(name: &'static str, id: u16) -> Suite {
    Suite { name, id, insecure: true }
}

/// Every suite upstream knows. Those with CBC, RC4, 3DES or without forward secrecy have a name and
/// no implementation here.
pub(super) const SUITES: [Suite; 25] = [
    secure("TLS_AES_128_GCM_SHA256", 0x1301),
    secure("TLS_AES_256_GCM_SHA384", 0x1302),
    secure("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    secure("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b),
    secure("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c),
    secure("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9),
    secure("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f),
    secure("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030),
    secure("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8),
    secure("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009),
    secure("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a),
    secure("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013),
    secure("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014),
    insecure("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xc023),
    insecure("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", 0xc007),
    insecure("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", 0xc012),
    insecure("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0xc027),
    insecure("TLS_ECDHE_RSA_WITH_RC4_128_SHA", 0xc011),
    insecure("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000a),
    insecure("TLS_RSA_WITH_AES_128_CBC_SHA", 0x002f),
    insecure("TLS_RSA_WITH_AES_128_CBC_SHA256", 0x003c),
    insecure("TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009c),
    insecure("TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035),
    insecure("TLS_RSA_WITH_AES_256_GCM_SHA384", 0x009d),
    insecure("TLS_RSA_WITH_RC4_128_SHA", 0x0005),
];

impl Suite {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        SUITES.into_iter().find(|suite| suite.name == name)
    }

    /// What does it here, if anything.
    pub(super) fn implementation(self) -> Option<SupportedCipherSuite> {
        aws_lc_rs::ALL_CIPHER_SUITES.iter().copied().find(|s| u16::from(s.suite()) == self.id)
    }
}

/// A key exchange group that upstream has a name for.
#[derive(Clone, Copy)]
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) implementation: Option<&'static dyn SupportedKxGroup>,
}

/// Every curve upstream knows, in the order of preference where none is configured.
pub(super) fn curves() -> [Curve; 7] {
    use aws_lc_rs::kx_group;
    let curve = |name, implementation| Curve { name, implementation };
    [
        curve("X25519MLKEM768", Some(kx_group::X25519MLKEM768)),
        curve("SecP384r1MLKEM1024", None),
        curve("SecP256r1MLKEM768", Some(kx_group::SECP256R1MLKEM768)),
        curve("X25519", Some(kx_group::X25519)),
        curve("CurveP256", Some(kx_group::SECP256R1)),
        curve("CurveP384", Some(kx_group::SECP384R1)),
        curve("CurveP521", None),
    ]
}

/// A cipher suite as /connz shows it.
pub fn cipher_name(suite: CipherSuite) -> String {
    let id = u16::from(suite);
    match SUITES.iter().find(|suite| suite.id == id) {
        Some(suite) => suite.name.to_owned(),
        None => format!("Unknown [0x{id:x}]"),
    }
}

/// A protocol version as /connz shows it.
pub fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "1.3".to_owned(),
        other => format!("Unknown [0x{:x}]", u16::from(other)),
    }
}

/// The least version that `min_version` asks for; empty is the default. The error is upstream's,
/// as it follows `error parsing tls config: `.
pub fn parse_min_version(text: &str) -> Result<ProtocolVersion, String> {
    match text {
        "" | "1.2" => Ok(ProtocolVersion::TLSv1_2),
        "1.3" => Ok(ProtocolVersion::TLSv1_3),
        "1.0" | "1.1" => Err(format!("unsupported TLS version: TLS {text}")),
        _ => Err(format!("unknown version: {text}")),
    }
}

/// What `--help_tls` prints.
pub fn help_text() -> String {
    let list = |names: &mut dyn Iterator<Item = &'static str>| {
        names.map(|name| format!("    {name}\n")).collect::<String>()
    };
    let suites = list(&mut SUITES.iter().map(|suite| suite.name));
    let missing =
        list(&mut SUITES.iter().filter(|s| s.implementation().is_none()).map(|suite| suite.name));
    let curves_all = list(&mut curves().into_iter().map(|curve| curve.name));
    let curves_missing = list(
        &mut curves().into_iter().filter(|c| c.implementation.is_none()).map(|curve| curve.name),
    );
    format!(
        "
A tls block of a configuration file sets TLS up, for instance:

    tls {{
        cert_file:      \"./certs/server-cert.pem\"
        key_file:       \"./certs/server-key.pem\"
        ca_file:        \"./certs/ca.pem\"
        verify:         true
        verify_and_map: true

        cipher_suites: [
            \"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\",
            \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"
        ]
        curve_preferences: [
            \"X25519MLKEM768\",
            \"X25519\",
            \"CurveP256\"
        ]
    }}

Available cipher suites include:
{suites}
Available curve preferences include:
{curves_all}
These are accepted so that configurations keep working, but never negotiated:
{missing}{curves_missing}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_implemented_suite_has_its_name() {
        for suite in aws_lc_rs::ALL_CIPHER_SUITES {
            let name = cipher_name(suite.suite());
            assert!(Suite::from_name(&name).is_some_and(|s| !s.insecure), "{name}");
        }
        assert_eq!(cipher_name(CipherSuite::TLS13_AES_128_GCM_SHA256), "TLS_AES_128_GCM_SHA256");
        assert_eq!(cipher_name(CipherSuite::from(0xfefe)), "Unknown [0xfefe]");
        assert_eq!(version_name(ProtocolVersion::TLSv1_3), "1.3");
    }

    #[test]
    fn help_lists_every_name_once_under_its_heading() {
        let help = help_text();
        let (_, lists) = help.split_once("Available cipher suites include:").unwrap();
        let (available, _) = lists.split_once("These are accepted").unwrap();
        for name in SUITES.iter().map(|s| s.name).chain(curves().map(|c| c.name)) {
            assert_eq!(available.lines().filter(|l| l.trim() == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn versions() {
        assert_eq!(parse_min_version("1.3"), Ok(ProtocolVersion::TLSv1_3));
        assert_eq!(parse_min_version("1.1").unwrap_err(), "unsupported TLS version: TLS 1.1");
        assert_eq!(parse_min_version("TLS1.2").unwrap_err(), "unknown version: TLS1.2");
    }
}

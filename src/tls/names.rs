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

/// Every suite upstream knows, in the order of `--help_tls`. Those with CBC, RC4, 3DES or without forward secrecy have a name and
/// no implementation here.
const SUITES: [Suite; 25] = [
    secure("TLS_AES_128_GCM_SHA256", 0x1301),
    secure("TLS_AES_256_GCM_SHA384", 0x1302),
    secure("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    secure("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009),
    secure("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b),
    secure("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a),
    secure("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c),
    secure("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9),
    secure("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013),
    secure("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f),
    secure("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014),
    secure("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030),
    secure("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8),
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

/// The name of every cipher suite that a configuration may list, secure ones first.
pub fn suite_names() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|suite| suite.name)
}

/// Whether a suite is only for `allow_insecure_cipher_suites`; `None` when it is unknown.
pub fn insecure_suite(name: &str) -> Option<bool> {
    Suite::from_name(name).map(|suite| suite.insecure)
}

/// The name of every curve that a configuration may list, sorted.
pub fn curve_names() -> impl Iterator<Item = &'static str> {
    let mut names = curves().map(|curve| curve.name);
    names.sort_unstable();
    names.into_iter()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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
    fn names_have_no_repeats_and_insecure_ones_come_last() {
        let names: BTreeSet<&str> = suite_names().chain(curve_names()).collect();
        assert_eq!(names.len(), SUITES.len() + curves().len());
        assert!(SUITES.is_sorted_by_key(|suite| (suite.insecure, suite.name)));
        assert_eq!(insecure_suite("TLS_RSA_WITH_RC4_128_SHA"), Some(true));
        assert_eq!(insecure_suite("TLS_AES_128_GCM_SHA256"), Some(false));
        assert_eq!(insecure_suite("BAD_CIPHER_SPEC"), None);
    }

    #[test]
    fn versions() {
        assert_eq!(parse_min_version("1.3"), Ok(ProtocolVersion::TLSv1_3));
        assert_eq!(parse_min_version("1.1").unwrap_err(), "unsupported TLS version: TLS 1.1");
        assert_eq!(parse_min_version("TLS1.2").unwrap_err(), "unknown version: TLS1.2");
    }
}

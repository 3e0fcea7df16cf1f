//! Names of cipher suites, curves and versions: those of Go, which configurations and /connz use.

use rustls::crypto::{SupportedKxGroup, aws_lc_rs};
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite};

/// A cipher suite that upstream has a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    id: u16,
    /// Only with `allow_insecure_cipher_suites`.
    pub(crate) insecure: bool,
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
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        SUITES.into_iter().find(|suite| suite.name == name)
    }

    /// What does it here, if anything.
    pub(super) fn implementation(self) -> Option<SupportedCipherSuite> {
        aws_lc_rs::ALL_CIPHER_SUITES.iter().copied().find(|s| u16::from(s.suite()) == self.id)
    }
}

/// A key exchange group that upstream has a name for.
#[derive(Clone, Copy)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(super) implementation: Option<&'static dyn SupportedKxGroup>,
}

/// Every curve upstream knows, in the order of preference where none is configured.
pub(crate) fn curves() -> [Curve; 7] {
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

/// The names of all suites, as `--help_tls` lists them: those that need
/// `allow_insecure_cipher_suites` come last.
pub fn suite_names() -> Vec<&'static str> {
    let mut suites = SUITES;
    suites.sort_by_key(|suite| (suite.insecure, suite.name));
    suites.map(|suite| suite.name).to_vec()
}

/// The names of all curves, as `--help_tls` lists them.
pub fn curve_names() -> Vec<&'static str> {
    let mut names = curves().map(|curve| curve.name);
    names.sort_unstable();
    names.to_vec()
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
    fn insecure_suites_are_listed_last() {
        let insecure = |name: &&str| Suite::from_name(name).is_some_and(|suite| suite.insecure);
        let names = suite_names();
        assert_eq!((names.len(), curve_names().len()), (SUITES.len(), curves().len()));
        assert_eq!(names.iter().position(insecure), Some(13));
        assert!(names[13..].iter().all(insecure));
    }

    #[test]
    fn versions() {
        assert_eq!(parse_min_version("1.3"), Ok(ProtocolVersion::TLSv1_3));
        assert_eq!(parse_min_version("1.1").unwrap_err(), "unsupported TLS version: TLS 1.1");
        assert_eq!(parse_min_version("TLS1.2").unwrap_err(), "unknown version: TLS1.2");
    }
}

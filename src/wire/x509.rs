//! What the server wants to know of a peer's certificate, in the words of Go's `crypto/x509/pkix`:
//! operators write those strings into user names, and tools read them in /connz.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// One `type=value` of a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Object identifier in dotted form.
    pub oid: String,
    /// Decoded value; `None` if it is no string.
    pub value: Option<String>,
}

/// The names and fingerprints of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCert {
    /// The subject in full (`CN=localhost,OU=nats.io,...`).
    pub subject: String,
    /// The subject without attributes that Go's parser has no field for (domain components).
    pub subject_known: String,
    /// The subject as it is in the certificate: sequence of sets.
    pub rdns: Vec<Vec<Attribute>>,
    /// Alternative names: e-mail addresses.
    pub emails: Vec<String>,
    /// Alternative names: host names.
    pub dns_names: Vec<String>,
    /// Alternative names: URIs.
    pub uris: Vec<String>,
    /// SHA-256 of the public key's DER (SubjectPublicKeyInfo), lower-case hex.
    pub spki_sha256: String,
    /// SHA-256 of the certificate's DER, lower-case hex.
    pub cert_sha256: String,
    /// When it expires, seconds since the Unix epoch.
    pub not_after: i64,
}

/// The bytes are no X.509 certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed certificate")]
pub struct NotACertificate;

impl PeerCert {
    /// Reads a DER certificate.
    pub fn parse(der: &[u8]) -> Result<Self, NotACertificate> {
        let (_, cert) = X509Certificate::from_der(der).map_err(|_| NotACertificate)?;
        let rdns = cert
            .subject()
            .iter_rdn()
            .map(|rdn| {
                let attribute = |a: &x509_parser::x509::AttributeTypeAndValue<'_>| Attribute {
                    oid: a.attr_type().to_id_string(),
                    value: go_string(a.attr_value()),
                };
                rdn.iter().map(attribute).collect()
            })
            .collect::<Vec<Vec<_>>>();
        let known = known_rdns(&rdns);
        let mut all = unknown_rdns(&rdns);
        all.extend(known.iter().cloned());
        let mut peer = Self {
            subject: rdn_sequence(&all),
            subject_known: rdn_sequence(&known),
            rdns,
            spki_sha256: sha256_hex(cert.public_key().raw),
            cert_sha256: sha256_hex(der),
            not_after: cert.validity().not_after.timestamp(),
            ..Self::default()
        };
        if let Ok(Some(names)) = cert.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::RFC822Name(name) => peer.emails.push((*name).to_owned()),
                    GeneralName::DNSName(name) => peer.dns_names.push((*name).to_owned()),
                    GeneralName::URI(name) => peer.uris.push((*name).to_owned()),
                    _ => {}
                }
            }
        }
        Ok(peer)
    }

    /// The domain components in the order of the certificate, `DC=example,DC=com`; may be empty.
    pub fn domain_components(&self) -> String {
        let values = self.rdns.iter().flatten().filter(|a| a.oid == OID_DC);
        let parts: Vec<_> =
            values.filter_map(|a| Some(format!("DC={}", a.value.as_ref()?))).collect();
        parts.join(",")
    }
}

/// Lower-case hex of the SHA-256 of `bytes`.
pub fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

const OID_DC: &str = "0.9.2342.19200300.100.1.25";

/// Attributes Go's `pkix.Name` has a field for, in the order it writes them, and their short names.
/// The flag: several values are kept (as one set), not only the last.
const KNOWN: [(&str, &str, bool); 9] = [
    ("2.5.4.6", "C", true),
    ("2.5.4.10", "O", true),
    ("2.5.4.11", "OU", true),
    ("2.5.4.7", "L", true),
    ("2.5.4.8", "ST", true),
    ("2.5.4.9", "STREET", true),
    ("2.5.4.17", "POSTALCODE", true),
    ("2.5.4.3", "CN", false),
    ("2.5.4.5", "SERIALNUMBER", false),
];

/// What Go's `Name.ToRDNSequence` makes of a parsed subject: known attributes, one set per type.
fn known_rdns(rdns: &[Vec<Attribute>]) -> Vec<Vec<Attribute>> {
    let set_of = |(oid, _, several): &(&str, &str, bool)| {
        let mut found: Vec<Attribute> = rdns
            .iter()
            .flatten()
            .filter(|a| {
                a.oid == *oid && a.value.as_ref().is_some_and(|v| *several || !v.is_empty())
            })
            .cloned()
            .collect();
        if !several {
            found.drain(..found.len().saturating_sub(1));
        }
        found
    };
    KNOWN.iter().map(set_of).filter(|set| !set.is_empty()).collect()
}

/// The other attributes, a set each; Go puts them in front.
fn unknown_rdns(rdns: &[Vec<Attribute>]) -> Vec<Vec<Attribute>> {
    let unknown = |a: &&Attribute| KNOWN.iter().all(|(oid, ..)| a.oid != *oid);
    rdns.iter().flatten().filter(unknown).map(|a| vec![a.clone()]).collect()
}

/// RFC 2253 as Go's `RDNSequence.String` has it: last set first.
fn rdn_sequence(rdns: &[Vec<Attribute>]) -> String {
    let mut out = String::new();
    for (i, rdn) in rdns.iter().rev().enumerate() {
        if i > 0 {
            out.push(',');
        }
        for (j, attribute) in rdn.iter().enumerate() {
            if j > 0 {
                out.push('+');
            }
            push_attribute(&mut out, attribute);
        }
    }
    out
}

fn push_attribute(out: &mut String, attribute: &Attribute) {
    let value = attribute.value.as_deref().unwrap_or_default();
    match KNOWN.iter().find(|(oid, ..)| attribute.oid == *oid) {
        Some((_, name, _)) => {
            out.push_str(name);
            out.push('=');
            push_escaped(out, value);
        }
        None => {
            let hex = data_encoding::HEXLOWER.encode(&der_string(value));
            // A `String` takes whatever is written to it.
            let _ = write!(out, "{}=#{hex}", attribute.oid);
        }
    }
}

fn push_escaped(out: &mut String, value: &str) {
    for (at, c) in value.char_indices() {
        let escape = match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => at == 0 || at + 1 == value.len(),
            '#' => at == 0,
            _ => false,
        };
        if escape {
            out.push('\\');
        }
        out.push(c);
    }
}

/// `value` as a DER string the way Go's `asn1.Marshal` chooses: printable if it can be, else UTF-8.
fn der_string(value: &str) -> Vec<u8> {
    let printable = |b: u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b);
    let tag = if value.bytes().all(printable) { 0x13 } else { 0x0c };
    let mut out = vec![tag];
    let length = value.len();
    match length {
        0..0x80 => out.push(length as u8),
        _ => {
            let bytes = length.to_be_bytes();
            let significant = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
            out.push(0x80 | significant.len() as u8);
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(value.as_bytes());
    out
}

/// The text of a directory string, whichever of its encodings is used.
fn go_string(value: &Any<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(value.data.to_vec()).ok()
        }
        // T.61 is read as Latin-1, as everybody does.
        Tag::T61String => Some(value.data.iter().map(|b| char::from(*b)).collect()),
        Tag::BmpString => {
            let pairs = value.data.chunks_exact(2);
            let units: Vec<u16> =
                pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    fn certificate(dn: &[(DnType, &str)], names: Vec<SanType>) -> PeerCert {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in dn {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        PeerCert::parse(params.self_signed(&key).unwrap().der()).unwrap()
    }

    #[test]
    fn subject_is_written_as_go_does() {
        let dc = DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 25]);
        let cert = certificate(
            &[
                (dc, "com"),
                (DnType::CountryName, "US"),
                (DnType::CommonName, "a, b#"),
                (DnType::OrganizationName, "#nats "),
            ],
            vec![],
        );
        assert_eq!(cert.subject_known, "CN=a\\, b#,O=\\#nats\\ ,C=US");
        assert_eq!(
            cert.subject,
            "CN=a\\, b#,O=\\#nats\\ ,C=US,0.9.2342.19200300.100.1.25=#1303636f6d"
        );
        assert_eq!(cert.domain_components(), "DC=com");
    }

    #[test]
    fn alternative_names_by_kind() {
        let cert = certificate(
            &[],
            vec![
                SanType::Rfc822Name("d@nats.io".try_into().unwrap()),
                SanType::DnsName("h.nats.io".try_into().unwrap()),
                SanType::URI("spiffe://localhost/x".try_into().unwrap()),
            ],
        );
        assert_eq!(cert.emails, ["d@nats.io"]);
        assert_eq!(cert.dns_names, ["h.nats.io"]);
        assert_eq!(cert.uris, ["spiffe://localhost/x"]);
        assert_eq!((cert.spki_sha256.len(), cert.cert_sha256.len()), (64, 64));
    }

    #[test]
    fn junk_is_no_certificate() {
        assert_eq!(PeerCert::parse(b"\x30\x82\xff\xff"), Err(NotACertificate));
    }
}

//! Nkeys: ed25519 keys as text with a kind and a checksum.
//!
//! ```text
//! public   base32( kind(1) key(32) crc16(2, little endian) )                 U..., A..., N...
//! seed     base32( seed+kind(2) seed(32) crc16(2, little endian) )           SU..., SA..., SN...
//! ```

use crate::base::Env;
use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fmt;

/// Whom a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `O`: signs accounts.
    Operator,
    /// `A`: signs users.
    Account,
    /// `U`: connects.
    User,
    /// `N`: a server.
    Server,
    /// `C`: a cluster.
    Cluster,
    /// `X`: encrypts; cannot sign.
    Curve,
}

/// Why a text is no key, or a signature not right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NkeyError {
    /// Not base32, or not the right length.
    #[error("nkeys: invalid encoded key")]
    Encoding,
    /// The checksum does not fit.
    #[error("nkeys: invalid checksum")]
    Checksum,
    /// The first characters name no kind, or the wrong one.
    #[error("nkeys: invalid prefix byte")]
    Prefix,
    /// No point on the curve, or a key that cannot sign.
    #[error("nkeys: invalid public key")]
    Key,
    /// The signature is not this key's for this message.
    #[error("nkeys: signature verification failed")]
    Signature,
}

/// Prefix byte of seeds; shows as `S`.
const SEED: u8 = 18 << 3;

impl Kind {
    /// The byte that makes the first character of a public key.
    fn prefix(self) -> u8 {
        match self {
            Self::Operator => 14 << 3,
            Self::Account => 0,
            Self::User => 20 << 3,
            Self::Server => 13 << 3,
            Self::Cluster => 2 << 3,
            Self::Curve => 23 << 3,
        }
    }

    fn from_prefix(prefix: u8) -> Option<Self> {
        [Self::Operator, Self::Account, Self::User, Self::Server, Self::Cluster, Self::Curve]
            .into_iter()
            .find(|kind| kind.prefix() == prefix)
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey {
    kind: Kind,
    bytes: [u8; 32],
}

impl PublicKey {
    /// Reads a public key of any kind.
    pub fn parse(text: &str) -> Result<Self, NkeyError> {
        let raw: [u8; 33] = decode(text)?;
        let [prefix, bytes @ ..] = raw;
        Ok(Self { kind: Kind::from_prefix(prefix).ok_or(NkeyError::Prefix)?, bytes })
    }

    /// Reads a public key that must be of `kind`.
    pub fn parse_kind(text: &str, kind: Kind) -> Result<Self, NkeyError> {
        Self::parse(text)
            .and_then(|key| if key.kind == kind { Ok(key) } else { Err(NkeyError::Prefix) })
    }

    /// Whom the key stands for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Checks that `signature` is this key's for `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), NkeyError> {
        if self.kind == Kind::Curve {
            return Err(NkeyError::Key);
        }
        let key = VerifyingKey::from_bytes(&self.bytes).map_err(|_| NkeyError::Key)?;
        let signature = Signature::from_slice(signature).map_err(|_| NkeyError::Signature)?;
        key.verify_strict(message, &signature).map_err(|_| NkeyError::Signature)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&[self.kind.prefix()], &self.bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key that can sign. Wiped from memory when dropped; `Debug` shows the public half.
#[derive(Clone)]
pub struct KeyPair {
    kind: Kind,
    key: SigningKey,
}

impl KeyPair {
    /// A new key. For [`Kind::Curve`] see [`CurveKeyPair`]: those keys are of another family.
    pub fn create(env: &Env, kind: Kind) -> Self {
        let mut seed = [0; 32];
        env.entropy(&mut seed);
        Self { kind, key: SigningKey::from_bytes(&seed) }
    }

    /// Reads a seed.
    pub fn from_seed(text: &str) -> Result<Self, NkeyError> {
        let raw: [u8; 34] = decode(text)?;
        let [b0, b1, seed @ ..] = raw;
        if b0 & 0xf8 != SEED {
            return Err(NkeyError::Prefix);
        }
        let prefix = (b0 & 7) << 5 | (b1 & 0xf8) >> 3;
        let kind = Kind::from_prefix(prefix).ok_or(NkeyError::Prefix)?;
        Ok(Self { kind, key: SigningKey::from_bytes(&seed) })
    }

    /// The seed as text; a secret.
    pub fn seed(&self) -> String {
        let prefix = self.kind.prefix();
        encode(&[SEED | prefix >> 5, (prefix & 31) << 3], self.key.as_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey { kind: self.kind, bytes: self.key.verifying_key().to_bytes() }
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public())
    }
}

/// A key pair that encrypts (x25519). Wiped from memory when dropped; `Debug` shows the public half.
#[derive(Clone)]
pub struct CurveKeyPair(
    /// An ed25519 key whose scalar is the private half: both curves are the same one.
    SigningKey,
);

impl CurveKeyPair {
    /// A new key.
    pub fn create(env: &Env) -> Self {
        let mut seed = [0; 32];
        env.entropy(&mut seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let bytes = self.0.verifying_key().to_montgomery().to_bytes();
        PublicKey { kind: Kind::Curve, bytes }
    }
}

impl fmt::Debug for CurveKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurveKeyPair({})", self.public())
    }
}

/// The bytes of a signature in CONNECT: URL-safe base64 without padding, or the ordinary kind.
pub fn decode_signature(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).or_else(|_| BASE64.decode(text.as_bytes())).ok()
}

fn encode(prefix: &[u8], key: &[u8; 32]) -> String {
    let mut raw = Vec::with_capacity(36);
    raw.extend_from_slice(prefix);
    raw.extend_from_slice(key);
    raw.extend_from_slice(&crc16(&raw).to_le_bytes());
    BASE32_NOPAD.encode(&raw)
}

/// Decodes base32 and takes the checksum off; what is left must be `N` bytes.
fn decode<const N: usize>(text: &str) -> Result<[u8; N], NkeyError> {
    let raw = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| NkeyError::Encoding)?;
    let (body, checksum) = raw.split_last_chunk::<2>().ok_or(NkeyError::Encoding)?;
    if crc16(body).to_le_bytes() != *checksum {
        return Err(NkeyError::Checksum);
    }
    body.try_into().map_err(|_| NkeyError::Encoding)
}

/// CRC-16 with polynomial 0x1021, starting from zero (XMODEM).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn checksum_is_xmodem() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[tokio::test]
    async fn kinds_show_in_the_first_letters() {
        let env = Env::simulated(3);
        for (kind, letter) in [
            (Kind::Operator, 'O'),
            (Kind::Account, 'A'),
            (Kind::User, 'U'),
            (Kind::Server, 'N'),
            (Kind::Cluster, 'C'),
        ] {
            let pair = KeyPair::create(&env, kind);
            let (public, seed) = (pair.public().to_string(), pair.seed());
            assert!(public.starts_with(letter) && public.len() == 56, "{public}");
            assert!(seed.starts_with(&format!("S{letter}")) && seed.len() == 58, "{seed}");
            assert_eq!(PublicKey::parse(&public).unwrap().kind(), kind);
            assert_eq!(KeyPair::from_seed(&seed).unwrap().public(), pair.public());
        }
    }

    #[tokio::test]
    async fn curve_keys_are_keys_of_their_kind() {
        let env = Env::simulated(3);
        let (a, b) = (CurveKeyPair::create(&env).public(), CurveKeyPair::create(&env).public());
        assert_ne!(a, b);
        let text = a.to_string();
        assert!(text.starts_with('X') && text.len() == 56, "{text}");
        assert_eq!(PublicKey::parse_kind(&text, Kind::Curve), Ok(a));
        assert_eq!(a.verify(b"message", &[0; 64]), Err(NkeyError::Key));
    }

    #[tokio::test]
    async fn a_signature_is_for_one_message_and_key() {
        let env = Env::simulated(4);
        let (a, b) = (KeyPair::create(&env, Kind::User), KeyPair::create(&env, Kind::User));
        let signature = a.sign(b"nonce");
        assert_eq!(a.public().verify(b"nonce", &signature), Ok(()));
        assert_eq!(a.public().verify(b"other", &signature), Err(NkeyError::Signature));
        assert_eq!(b.public().verify(b"nonce", &signature), Err(NkeyError::Signature));
        assert_eq!(a.public().verify(b"nonce", &signature[1..]), Err(NkeyError::Signature));
    }

    #[tokio::test]
    async fn damage_is_noticed() {
        let key = KeyPair::create(&Env::simulated(5), Kind::User);
        let good = key.public().to_string();
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            assert!(PublicKey::parse(&bad).is_err(), "{bad}");
        }
        assert_eq!(PublicKey::parse(&key.seed()), Err(NkeyError::Encoding));
        assert_eq!(PublicKey::parse_kind(&good, Kind::Account), Err(NkeyError::Prefix));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,64}") {
            let _ = (PublicKey::parse(&text), KeyPair::from_seed(&text), decode_signature(&text));
        }
    }
}

//! Shape of nkeys: base32, a prefix for the role, a checksum.

use data_encoding::BASE32_NOPAD;

/// Role of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Account = 0,
    Cluster = 2,
    Server = 13,
    Operator = 14,
    User = 20,
    Curve = 23,
}

const ROLES: [Role; 6] =
    [Role::Account, Role::Cluster, Role::Server, Role::Operator, Role::User, Role::Curve];

/// Whether this is a public key of that role.
pub(super) fn is_public(role: Role, text: &str) -> bool {
    decode(text).is_some_and(|raw| raw.first() == Some(&((role as u8) << 3)))
}

/// Whether this is a public key of any role.
pub(super) fn is_any_public(text: &str) -> bool {
    ROLES.into_iter().any(|role| is_public(role, text))
}

/// Whether this is a seed of that role.
pub(super) fn is_seed(role: Role, text: &str) -> bool {
    const SEED: u8 = 18 << 3;
    decode(text).is_some_and(|raw| match raw[..] {
        [a, b, ..] => a & 0xf8 == SEED && (a & 7) << 5 | (b & 0xf8) >> 3 == (role as u8) << 3,
        _ => false,
    })
}

/// The bytes before the checksum, if that is right.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut raw = BASE32_NOPAD.decode(text.as_bytes()).ok()?;
    let sum = u16::from_le_bytes(raw.split_off(raw.len().checked_sub(2)?).try_into().ok()?);
    (raw.len() >= 2 && crc16(&raw) == sum).then_some(raw)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    })
}

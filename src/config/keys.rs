//! Whether text is an nkey of some role.

use crate::auth::nkey::{KeyPair, PublicKey};

pub(super) use crate::auth::nkey::Kind as Role;

/// Whether this is a public key of that role.
pub(super) fn is_public(role: Role, text: &str) -> bool {
    PublicKey::parse_kind(text, role).is_ok()
}

/// Whether this is a public key of any role.
pub(super) fn is_any_public(text: &str) -> bool {
    PublicKey::parse(text).is_ok()
}

/// Whether this is a seed of that role.
pub(super) fn is_seed(role: Role, text: &str) -> bool {
    KeyPair::from_seed(text).is_ok_and(|pair| pair.public().kind() == role)
}

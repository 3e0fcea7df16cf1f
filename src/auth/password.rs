//! Passwords and tokens: clear text or bcrypt.

use subtle::ConstantTimeEq;

/// Whether checking against `stored` computes a bcrypt hash. That takes tens to hundreds of
/// milliseconds by design: it belongs off the network threads.
pub fn needs_hashing(stored: &str) -> bool {
    matches!(
        stored.as_bytes(),
        [b'$', b'2', b'a' | b'b' | b'x' | b'y', b'$', tens, ones, b'$', ..]
            if tens.is_ascii_digit() && ones.is_ascii_digit()
    )
}

/// Whether `given` is the password or token that `stored` stands for. Clear text is compared in
/// time that does not depend on where they differ.
pub fn verify(stored: &str, given: &str) -> bool {
    if needs_hashing(stored) {
        // A hash that cannot be read is one that nothing fits.
        return bcrypt::verify(given, stored).unwrap_or(false);
    }
    stored.as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text() {
        assert!(verify("s3cr3t", "s3cr3t"));
        assert!(!verify("s3cr3t", "s3cr3T"));
        assert!(!verify("s3cr3t", ""));
        assert!(verify("$3$nothash", "$3$nothash"));
        assert!(verify("", ""));
    }

    #[test]
    fn bcrypt_in_all_its_versions() {
        let hash = bcrypt::hash("s3cr3t", 4).unwrap();
        for version in ["$2a$", "$2b$", "$2x$", "$2y$"] {
            let hash = hash.replacen("$2b$", version, 1);
            assert!(needs_hashing(&hash));
            assert!(verify(&hash, "s3cr3t"), "{hash}");
            assert!(!verify(&hash, "other"));
            assert!(!verify(&hash, &hash), "a stolen hash is no password");
        }
        assert!(!verify("$2a$11$tooshort", "$2a$11$tooshort"));
        assert!(!needs_hashing("$2c$11$x") && !needs_hashing("$2a$1$x") && !needs_hashing("2a"));
    }
}

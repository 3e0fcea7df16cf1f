//! Encryption at rest.
//!
//! The configured key never encrypts anything itself. For every asset (a stream, a block, a
//! consumer) it gives, by HMAC-SHA-256 over the account and the asset's name, a key that seals the
//! asset's own random 32-byte seed in a key file. The seed seals the asset's small files, or is the
//! key of the cipher that a block is combined with.
//!
//! ```text
//! key file:     nonce | sealed seed                meta.key, N.key
//! sealed file:  nonce | sealed content             meta.inf, index.db, o.dat
//! block:        content XOR key stream             the key file's nonce is the stream's too
//! ```
//!
//! | cipher | seals | block | nonce |
//! | --- | --- | --- | --- |
//! | ChaCha | XChaCha20-Poly1305 | XChaCha20 | 24 bytes |
//! | AES | AES-256-GCM with a long nonce | AES-256-CTR | 16 bytes |
//!
//! A key file may have been written under the other cipher or the previous key. All four are
//! tried, as upstream does; what was found that way is to be converted
//! ([`AssetKey::is_current`]).
//!
//! Go: server/filestore.go genEncryptionKeys, loadEncryptionForMsgBlock, convertCipher.

use crate::config::Secret;
use crate::config::jetstream::StoreCipher;
use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead, KeyInit};
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

type Gcm = aes_gcm::AesGcm<aes::Aes256, U16>;
type AesCtr = ctr::Ctr128BE<aes::Aes256>;

const SEED_LEN: usize = 32;
const TAG_LEN: usize = 16;
const NONCE_LEN_MAX: usize = 24;
/// Bytes of the shortest key file.
pub const KEY_FILE_LEN_MIN: usize = 64;

/// Why something cannot be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptError {
    /// A key file that is too short.
    #[error("a key file of {0} bytes")]
    KeyFile(usize),
    /// No configured key opens the key file.
    #[error("no configured key opens it")]
    WrongKey,
    /// A sealed file that is too short, or does not authenticate.
    #[error("the sealed content is damaged")]
    Damaged,
}

fn nonce_len(cipher: StoreCipher) -> usize {
    match cipher {
        StoreCipher::ChaCha => 24,
        StoreCipher::Aes => 16,
    }
}

/// The configured keys, for the assets of one account (or of one Raft group, under its name).
#[derive(Clone, Debug)]
pub struct KeyRing {
    owner: String,
    key: Secret,
    previous: Secret,
    cipher: StoreCipher,
}

impl KeyRing {
    /// `previous` is empty when there is none. Nothing without a key: then nothing is encrypted.
    pub fn new(owner: &str, key: &Secret, previous: &Secret, cipher: StoreCipher) -> Option<Self> {
        let (key, previous) = (key.clone(), previous.clone());
        (!key.is_empty()).then(|| Self { owner: owner.to_owned(), key, previous, cipher })
    }

    /// Opens the key file of an asset. `asset` is `<stream>`, `<stream>:<block>` or
    /// `<stream>.<consumer>`.
    ///
    /// # Errors
    ///
    /// [`CryptError::KeyFile`] and [`CryptError::WrongKey`].
    pub fn open(&self, asset: &str, file: &[u8]) -> Result<AssetKey, CryptError> {
        if file.len() < KEY_FILE_LEN_MIN {
            return Err(CryptError::KeyFile(file.len()));
        }
        let other = match self.cipher {
            StoreCipher::ChaCha => StoreCipher::Aes,
            StoreCipher::Aes => StoreCipher::ChaCha,
        };
        for key in [&self.key, &self.previous].into_iter().filter(|key| !key.is_empty()) {
            for cipher in [self.cipher, other] {
                let sealing = self.sealing_key(key, asset);
                let Some((nonce, sealed)) = file.split_at_checked(nonce_len(cipher)) else {
                    continue;
                };
                let Some(seed) = unseal(cipher, &sealing, nonce, sealed) else { continue };
                let Ok(seed) = <[u8; SEED_LEN]>::try_from(&Zeroizing::new(seed)[..]) else {
                    continue;
                };
                let current = std::ptr::eq(key, &self.key) && cipher == self.cipher;
                return Ok(AssetKey::new(cipher, seed, nonce, current));
            }
        }
        Err(CryptError::WrongKey)
    }

    /// A new key for an asset, and its key file. `entropy` must give bytes fit for secrets.
    pub fn create(&self, asset: &str, entropy: &mut dyn FnMut(&mut [u8])) -> (AssetKey, Vec<u8>) {
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        entropy(&mut seed[..]);
        let mut nonce = [0; NONCE_LEN_MAX];
        let nonce = &mut nonce[..nonce_len(self.cipher)];
        entropy(nonce);
        let sealing = self.sealing_key(&self.key, asset);
        let file = seal(self.cipher, &sealing, nonce, &seed[..]);
        (AssetKey::new(self.cipher, *seed, nonce, true), file)
    }

    /// The key that seals an asset's seed.
    fn sealing_key(&self, key: &Secret, asset: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(self.owner.as_bytes());
        mac.update(asset.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// The key of one asset.
#[derive(Clone)]
pub struct AssetKey {
    cipher: StoreCipher,
    seed: Zeroizing<[u8; SEED_LEN]>,
    nonce: [u8; NONCE_LEN_MAX],
    current: bool,
}

impl std::fmt::Debug for AssetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssetKey").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

impl AssetKey {
    fn new(cipher: StoreCipher, seed: [u8; SEED_LEN], nonce: &[u8], current: bool) -> Self {
        let mut padded = [0; NONCE_LEN_MAX];
        padded[..nonce.len()].copy_from_slice(nonce);
        Self { cipher, seed: Zeroizing::new(seed), nonce: padded, current }
    }

    /// The cipher that this asset is encrypted with.
    pub fn cipher(&self) -> StoreCipher {
        self.cipher
    }

    /// Its key file is under the configured key and cipher; otherwise asset and key file are to be
    /// written anew.
    pub fn is_current(&self) -> bool {
        self.current
    }

    /// Seals the content of a small file. `entropy` gives the nonce.
    pub fn seal(&self, content: &[u8], entropy: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN_MAX];
        let nonce = &mut nonce[..nonce_len(self.cipher)];
        entropy(nonce);
        seal(self.cipher, &self.seed, nonce, content)
    }

    /// Opens a sealed file.
    ///
    /// # Errors
    ///
    /// [`CryptError::Damaged`].
    pub fn unseal(&self, file: &[u8]) -> Result<Vec<u8>, CryptError> {
        let (nonce, sealed) =
            file.split_at_checked(nonce_len(self.cipher)).ok_or(CryptError::Damaged)?;
        unseal(self.cipher, &self.seed, nonce, sealed).ok_or(CryptError::Damaged)
    }

    /// Encrypts or decrypts `bytes` of a block that stand at `offset` of it. Blocks are far below
    /// the 256 GiB that the key stream of a nonce lasts for.
    pub fn apply(&self, offset: u64, bytes: &mut [u8]) {
        match self.cipher {
            StoreCipher::ChaCha => {
                let mut stream =
                    chacha20::XChaCha20::new((&*self.seed).into(), (&self.nonce).into());
                stream.seek(offset);
                stream.apply_keystream(bytes);
            }
            StoreCipher::Aes => {
                let nonce = self.nonce.first_chunk::<16>().expect("16 is less than 24");
                let mut stream = AesCtr::new((&*self.seed).into(), nonce.into());
                stream.seek(offset);
                stream.apply_keystream(bytes);
            }
        }
    }
}

/// `nonce | sealed content`.
fn seal(cipher: StoreCipher, key: &[u8; 32], nonce: &[u8], content: &[u8]) -> Vec<u8> {
    let sealed = match (cipher, nonce.first_chunk::<24>(), nonce.first_chunk::<16>()) {
        (StoreCipher::ChaCha, Some(nonce), _) => {
            chacha20poly1305::XChaCha20Poly1305::new(key.into()).encrypt(nonce.into(), content)
        }
        (StoreCipher::Aes, _, Some(nonce)) => Gcm::new(key.into()).encrypt(nonce.into(), content),
        _ => unreachable!("the nonce is made for the cipher"),
    };
    let sealed = sealed.expect("files are shorter than what a cipher takes (64 GiB)");
    [nonce, &sealed].concat()
}

fn unseal(cipher: StoreCipher, key: &[u8; 32], nonce: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    if sealed.len() < TAG_LEN {
        return None;
    }
    match cipher {
        StoreCipher::ChaCha => {
            let nonce = nonce.first_chunk::<24>()?;
            let cipher = chacha20poly1305::XChaCha20Poly1305::new(key.into());
            cipher.decrypt(nonce.into(), sealed).ok()
        }
        StoreCipher::Aes => {
            let nonce = nonce.first_chunk::<16>()?;
            Gcm::new(key.into()).decrypt(nonce.into(), sealed).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    const BOTH: [StoreCipher; 2] = [StoreCipher::ChaCha, StoreCipher::Aes];

    fn ring(key: &str, previous: &str, cipher: StoreCipher) -> KeyRing {
        KeyRing::new("ACC", &key.into(), &previous.into(), cipher).unwrap()
    }

    fn entropy(seed: u64) -> impl FnMut(&mut [u8]) {
        let mut rng = Rng::from_seed(seed);
        move |buf| rng.fill(buf)
    }

    #[test]
    fn seals_and_opens() {
        for cipher in BOTH {
            let (key, file) = ring("k", "", cipher).create("S:1", &mut entropy(1));
            assert!(file.len() >= KEY_FILE_LEN_MIN);
            let found = ring("k", "", cipher).open("S:1", &file).unwrap();
            assert!(found.is_current());
            let sealed = key.seal(b"content", &mut entropy(2));
            assert_eq!(found.unseal(&sealed).unwrap(), b"content");
            for at in 0..sealed.len() {
                let mut bad = sealed.clone();
                bad[at] ^= 1;
                assert_eq!(found.unseal(&bad), Err(CryptError::Damaged));
            }
            assert_eq!(found.unseal(b"short"), Err(CryptError::Damaged));
        }
    }

    #[test]
    fn the_other_cipher_and_the_previous_key_are_found() {
        for (cipher, other) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
            let (_, file) = ring("k", "", cipher).create("S", &mut entropy(1));
            for ring in [ring("k", "", other), ring("n", "k", cipher), ring("n", "k", other)] {
                let found = ring.open("S", &file).unwrap();
                assert_eq!((found.cipher(), found.is_current()), (cipher, false));
            }
            assert_eq!(ring("n", "", cipher).open("S", &file).unwrap_err(), CryptError::WrongKey);
            let ring = ring("k", "", cipher);
            assert_eq!(ring.open("T", &file).unwrap_err(), CryptError::WrongKey);
            assert_eq!(ring.open("S", &file[..63]).unwrap_err(), CryptError::KeyFile(63));
        }
    }

    #[test]
    fn no_key_no_encryption() {
        assert!(KeyRing::new("A", &"".into(), &"".into(), StoreCipher::Aes).is_none());
    }

    #[test]
    fn a_block_is_read_from_anywhere() {
        for cipher in BOTH {
            let (key, _) = ring("k", "", cipher).create("S:1", &mut entropy(1));
            let plain: Vec<u8> = (0..1000_u32).map(|i| i as u8).collect();
            let mut whole = plain.clone();
            key.apply(0, &mut whole);
            assert_ne!(whole, plain);
            for (from, until) in [(0, 0), (0, 1), (63, 65), (64, 128), (15, 17), (500, 1000)] {
                let mut part = whole[from..until].to_vec();
                key.apply(from as u64, &mut part);
                assert_eq!(part, plain[from..until]);
            }
        }
    }
}

//! Directories that are encrypted, or have to be.

use nats_server::base::Env;
use nats_server::base::fs::{Fs, OsFs};
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{FileStreamInfo, StreamConfig};
use nats_server::store::file::build::{self, Builder, Message};
use nats_server::store::file::convert::{ConvertError, Converter};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::files::FileError;
use nats_server::store::file::recover::{self, IndexUse, Options, RecoverError};
use std::ops::ControlFlow;
use std::path::Path;

crate::cases! {
    "server/filestore_test.go",
    library a_key_is_missing => ["TestFileStoreRestoreEncryptedWithNoKeyFuncFails"],
    library encrypted_when_opened => ["TestFileStoreConvertToEncryptedDoesNotResurrectXoredCache"],
}

const PAYLOAD: &[u8] = b"MARKER-PLAINTEXT-PAYLOAD-";

fn ring() -> Option<KeyRing> {
    KeyRing::new("$G", &"secret".into(), &"".into(), StoreCipher::Aes)
}

fn make(dir: &Path, keys: Option<&KeyRing>, messages: u64) {
    let env = Env::os();
    let config = StreamConfig {
        name: "zzz".to_owned(),
        subjects: vec!["foo".to_owned()],
        ..StreamConfig::default()
    };
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    let mut entropy = |buf: &mut [u8]| env.entropy(buf);
    let place = build::Place { fs: &OsFs, dir, keys, entropy: &mut entropy };
    let mut builder = Builder::new(place, &info).unwrap();
    for seq in 1..=messages {
        let (subject, headers, payload) = (&b"foo"[..], &b""[..], PAYLOAD);
        builder.add(&Message { seq, time_ns: 1, subject, headers, payload }).unwrap();
    }
    builder.finish().unwrap();
}

fn a_key_is_missing() {
    crate::exercises!("gap_areas", "1.2");
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("zzz");
    make(&dir, ring().as_ref(), 100);
    let opened = recover::stream(&OsFs, &dir, Options::default());
    assert!(matches!(opened, Err(RecoverError::File(FileError::NoKey(_)))));
    let mut entropy = |_: &mut [u8]| {};
    let converted = Converter { fs: &OsFs, keys: None, entropy: &mut entropy }.stream(&dir);
    assert!(matches!(converted, Err(ConvertError::File(FileError::NoKey(_)))));
    // With it all of them are there.
    let keys = ring();
    let options = Options { keys: keys.as_ref(), ..Options::default() };
    assert_eq!(recover::stream(&OsFs, &dir, options).unwrap().totals.messages, 100);
}

fn encrypted_when_opened() {
    crate::exercises!("gap_areas", "1.2");
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("zzz");
    make(&dir, None, 3);
    let (env, keys) = (Env::os(), ring());
    let mut entropy = |buf: &mut [u8]| env.entropy(buf);
    let mut convert = || {
        Converter { fs: &OsFs, keys: keys.as_ref(), entropy: &mut entropy }.stream(&dir).unwrap()
    };
    assert_eq!(convert().assets, 2, "a block, and the configuration");
    let block = dir.join("msgs/1.blk");
    let sealed = OsFs.read(&block).unwrap();
    assert!(!sealed.windows(PAYLOAD.len()).any(|part| part == PAYLOAD));
    // What is converted again and again is converted once.
    assert_eq!(convert().assets, 0);
    assert_eq!(OsFs.read(&block).unwrap(), sealed);
    let options = Options { keys: keys.as_ref(), verify: true, now_ns: None };
    let found = recover::stream(&OsFs, &dir, options).unwrap();
    assert!(found.damage.is_empty() && found.index == IndexUse::Sound);
    let mut payloads = Vec::new();
    found
        .messages(&OsFs, keys.as_ref(), (0, u64::MAX), |record| {
            payloads.push(record.payload.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(payloads, [PAYLOAD; 3]);
}

//! Streams on a disk whose operations are counted, and that fails as disks do.

use crate::cases::server::filestore_basics::files::Files;
use nats_server::base::Env;
use nats_server::base::fs::{CrashFs, Fs};
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{FileStreamInfo, StoreCompression, StreamConfig};
use nats_server::store::file::build::Place;
use nats_server::store::file::recover::{self, Recovered};
use nats_server::store::file::restore::{Limits, restore};
use std::path::Path;
use std::sync::Arc;

/// Runs a test with each cipher and none, with and without compression.
pub(super) fn each_on_disk(
    config: &StreamConfig,
    block_len: u64,
    test: impl Fn(&CrashFs, &mut Files),
) {
    for cipher in [None, Some(StoreCipher::ChaCha), Some(StoreCipher::Aes)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let config = StreamConfig { compression, ..config.clone() };
            let disk = CrashFs::default();
            test(&disk, &mut on(Arc::new(disk.clone()), &config, block_len, cipher));
        }
    }
}

/// A stream on a disk.
pub(super) fn on(
    disk: Arc<dyn Fs>,
    config: &StreamConfig,
    block_len: u64,
    cipher: Option<StoreCipher>,
) -> Files {
    Files::on(&env(disk), Path::new("/streams"), config, block_len, cipher)
}

/// A process that has this disk.
pub(super) fn env(disk: Arc<dyn Fs>) -> Env {
    Env::simulated_on(1, disk)
}

/// Operations of the disk that something takes.
pub(super) fn operations<R>(disk: &CrashFs, work: impl FnOnce() -> R) -> (R, u64) {
    let before = disk.operations();
    let result = work();
    (result, disk.operations() - before)
}

/// What is found of an archive of a stream that was restored, on a disk of its own.
pub(super) fn restored(files: &Files, archive: &[u8]) -> Recovered {
    let disk = CrashFs::default();
    let dir = Path::new("/restored/zzz");
    disk.create_dir_all(Path::new("/restored")).expect("a folder");
    let env = env(Arc::new(disk.clone()));
    let mut entropy = |buf: &mut [u8]| env.entropy(buf);
    let keys = files.keys.as_deref();
    let place = Place { fs: &disk, dir, keys, entropy: &mut entropy };
    let config = files.store.config().clone();
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    let limits = Limits { message: 1 << 20, stream: 1 << 40 };
    restore(place, &info, limits, 7, archive).expect("restored");
    let options = recover::Options { keys, verify: true, ..recover::Options::default() };
    recover::stream(&disk, dir, options).expect("a stream")
}

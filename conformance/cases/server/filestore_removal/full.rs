//! A disk that is full, and one that is written to while it is read.

use super::disk::{each_on_disk, env, on};
use crate::cases::server::filestore_basics::files::{Files, HELLO, size, subjects};
use nats_server::base::fs::{File, Fs, MemFs, Metadata, OpenMode};
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{StoreCompression, StreamConfig};
use nats_server::store::file::snapshot::{Source, snapshot};
use nats_server::store::stream::{StoreError, StreamStore};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

crate::cases! {
    "server/filestore_test.go",
    library a_full_disk => ["TestFileStoreWriteFailures"],
    library synced_while_a_snapshot_is_made => ["TestFileStoreSnapshotAndSyncBlocks"],
}

/// A disk that holds so many bytes of files.
#[derive(Clone, Debug)]
struct SmallDisk {
    files: MemFs,
    capacity: Arc<AtomicU64>,
}

#[derive(Debug)]
struct SmallFile {
    file: Box<dyn File>,
    disk: SmallDisk,
}

impl SmallDisk {
    fn used(&self, dir: &Path) -> u64 {
        let paths = self.files.read_dir(dir).expect("a folder");
        let used = |path: PathBuf| match self.files.metadata(&path).expect("it is there") {
            found if found.is_dir => self.used(&path),
            found => found.len,
        };
        paths.into_iter().map(used).sum()
    }
}

impl File for SmallFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    /// What there is room for is written.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        let capacity = self.disk.capacity.load(Relaxed);
        let room = capacity.saturating_sub(self.disk.used(Path::new("/")));
        let missing = end.saturating_sub(self.len()?).saturating_sub(room);
        let fits = buf.len().saturating_sub(missing as usize);
        self.file.write_at(&buf[..fits], offset)?;
        if missing == 0 { Ok(()) } else { Err(ErrorKind::StorageFull.into()) }
    }

    fn append(&self, buf: &[u8]) -> io::Result<()> {
        self.write_at(buf, self.len()?)
    }

    fn append_vectored(&self, parts: &[&[u8]]) -> io::Result<()> {
        parts.iter().try_for_each(|part| self.append(part))
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Fs for SmallDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        Ok(Box::new(SmallFile { file: self.files.open(path, mode)?, disk: self.clone() }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.files.metadata(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.read_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.files.remove_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.files.sync_dir(path)
    }
}

const PAYLOAD: &[u8] = &[b'F'; 1000];
/// Messages that the disk has room for.
const ROOM: u64 = 60;

/// Stores messages, each for good, until that fails; how many were stored.
fn fill(files: &mut Files) -> u64 {
    for stored in 0..=ROOM {
        let put = files.try_put("foo", PAYLOAD);
        if let Err(error) = put.and_then(|_| files.store.flush()) {
            let full = |error: &io::Error| error.kind() == ErrorKind::StorageFull;
            assert!(matches!(&error, StoreError::Io(error) if full(error)), "{error}");
            return stored;
        }
    }
    panic!("there is room for all");
}

fn a_full_disk() {
    for cipher in [None, Some(StoreCipher::ChaCha), Some(StoreCipher::Aes)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let config = StreamConfig { compression, ..subjects(&["foo"]) };
            let capacity = Arc::new(AtomicU64::new(u64::MAX));
            let disk = SmallDisk { files: MemFs::default(), capacity: capacity.clone() };
            let mut files = on(Arc::new(disk.clone()), &config, 0, cipher);
            // The last one fits in half.
            let each_size = size("foo", PAYLOAD.len());
            let used = disk.used(Path::new("/"));
            capacity.store(used + ROOM * each_size + each_size / 2, Relaxed);
            assert_eq!(fill(&mut files), ROOM);
            // It is not there, and the others are.
            let is_sound = |files: &mut Files| {
                assert_eq!(files.span(), (ROOM, 1, ROOM));
                assert_eq!(files.state().bytes, ROOM * each_size);
                assert!(matches!(files.load(ROOM + 1), Err(StoreError::Eof)));
                assert_eq!(
                    (files.payload(1), files.payload(ROOM)),
                    (PAYLOAD.into(), PAYLOAD.into())
                );
            };
            is_sound(&mut files);
            // Nothing can be done but to read, until it is opened again.
            assert!(matches!(files.store.purge(), Err(StoreError::Io(_))));
            is_sound(&mut files);
            for _ in 0..2 {
                assert!(files.store.stop().is_err());
                // The half one is cut off.
                files.store = files.start().store;
                is_sound(&mut files);
                assert_eq!(fill(&mut files), 0);
                is_sound(&mut files);
            }
            assert!(files.store.stop().is_err());
            files.store = files.start().store;
            // A purge makes room for as many again.
            assert_eq!(files.store.purge().unwrap(), ROOM);
            assert_eq!(files.span(), (0, ROOM + 1, ROOM));
            assert_eq!(fill(&mut files), ROOM);
            assert_eq!(files.span(), (ROOM, ROOM + 1, 2 * ROOM));
        }
    }
}

fn synced_while_a_snapshot_is_made() {
    each_on_disk(&subjects(&["foo"]), 4096, |disk, files| {
        files.put_many(500, "foo", HELLO);
        files.store.checkpoint().unwrap();
        let (found, state) = (files.verified(), files.state());
        let keys = files.keys.clone();
        let source = Source {
            fs: disk,
            messages_dir: &found.messages_dir,
            stream: "zzz",
            keys: keys.as_deref(),
            blocks: &found.blocks,
        };
        let (mut chunks, mut archive) = (0, Vec::new());
        let mut sink = |chunk: &[u8]| {
            archive.extend_from_slice(chunk);
            chunks += 1;
            // What is stored meanwhile is durable when it is synced.
            let seq = files.put("foo", b"later");
            assert_eq!(files.store.sync().unwrap(), seq);
            assert!(files.store.begin_sync().unwrap().is_empty());
            let (mut after, _) = files.opened_on(&env(Arc::new(disk.crash(seq))));
            assert_eq!((after.state().last_seq, after.payload(seq)), (seq, b"later".to_vec()));
            Ok(())
        };
        snapshot(source, &state, &[], 7, 512, &mut sink).unwrap();
        assert!(chunks > 1);
        // The archive has what was there at its beginning.
        assert_eq!(files.span(), (500 + chunks, 1, 500 + chunks));
        let restored = super::disk::restored(files, &archive);
        assert_eq!((restored.totals.messages, restored.totals.last_seq), (500, 500));
    });
}

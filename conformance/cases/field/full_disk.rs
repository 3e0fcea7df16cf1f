//! A store that is opened with a file cut or damaged, or on a full disk, has its messages.

use super::disk::{CIPHERS, DIR, Kind, Seen, look, put, ring};
use nats_server::base::Env;
use nats_server::base::fs::{CrashFs, File, Fs, Metadata, OpenMode};
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::StoreCompression;
use nats_server::store::file::store::FileStore;
use nats_server::store::stream::StreamStore;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

crate::cases! {
    "",
    library a_cut_or_damaged_index => [],
    library cut_or_damaged_small_files => [],
    library a_full_disk => [],
}

const MESSAGES: u64 = 12;

/// A stream of several blocks, and what it holds.
fn made(kind: &Kind, stopped: bool) -> (CrashFs, Seen) {
    let fs = CrashFs::default();
    let mut store = kind.create(&fs).unwrap();
    for seq in 1..=MESSAGES {
        put(&mut store, ["a", "b"][seq as usize % 2], seq).unwrap();
        if seq == 6 {
            store.checkpoint().unwrap();
        }
    }
    assert!(store.remove(3).unwrap());
    store.sync().unwrap();
    let seen = look(&mut store).unwrap();
    if stopped {
        store.stop().unwrap();
    }
    (fs.kill(), seen)
}

/// Asserts that all is there, now and when it is opened once more.
fn assert_whole(kind: &Kind, fs: &CrashFs, seen: &Seen, what: &str) {
    for _ in 0..2 {
        let opened = kind.open(fs).unwrap_or_else(|e| panic!("{what}: {e}"));
        let mut store = opened.store;
        let found = look(&mut store).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(&found, seen, "{what}");
        store.stop().unwrap();
    }
}

/// Files cut and damaged at many places.
fn spoilt<'a>(fs: &'a CrashFs, path: &'a Path) -> impl Iterator<Item = (String, CrashFs)> + 'a {
    let len = fs.read(path).expect("a file").len() as u64;
    // Odd steps come to every bit of a byte.
    let cuts = (0..len).step_by(len as usize / 12 + 1).chain([len - 1]);
    let cut = cuts.map(move |at| {
        let spoilt = fs.kill();
        spoilt.truncate(path, at).expect("cut");
        (format!("{} cut at {at}", path.display()), spoilt)
    });
    let flipped = (0..len * 8).step_by((len as usize / 3) | 1).map(move |bit| {
        let spoilt = fs.kill();
        spoilt.flip_bit(path, bit).expect("damaged");
        (format!("{} with bit {bit} wrong", path.display()), spoilt)
    });
    cut.chain(flipped)
}

fn a_cut_or_damaged_index() {
    crate::exercises!("gap_areas", "1.4");
    crate::exercises!("field_statements", "F2a");
    for kind in Kind::all() {
        for stopped in [true, false] {
            let (fs, seen) = made(&kind, stopped);
            let index = Path::new(DIR).join("msgs/index.db");
            if fs.metadata(&index).is_err() {
                // It was removed before what it would not have noticed.
                assert!(!stopped);
                continue;
            }
            for (what, spoilt) in spoilt(&fs, &index) {
                assert_whole(&kind, &spoilt, &seen, &what);
            }
        }
    }
}

fn cut_or_damaged_small_files() {
    crate::exercises!("field_statements", "F2a");
    for cipher in CIPHERS {
        let kind = Kind::new(StoreCompression::None, cipher.and_then(|c| ring("k", "", c)));
        let (fs, seen) = made(&kind, true);
        let keys: &[&str] =
            if cipher.is_some() { &["meta.key", "msgs/1.key", "msgs/2.key"] } else { &[] };
        for name in ["meta.inf", "meta.sum"].iter().chain(keys) {
            let path = Path::new(DIR).join(name);
            let sound = fs.read(&path).unwrap();
            for (what, spoilt) in spoilt(&fs, &path) {
                // Whether it opens or not: who puts the file back has all of it.
                if let Ok(opened) = kind.open(&spoilt) {
                    let mut store = opened.store;
                    store.stop().unwrap();
                }
                let blocks = |fs: &CrashFs| {
                    let files = fs.files().into_iter().map(|(path, content)| {
                        let name = path.file_name().unwrap().to_string_lossy().into_owned();
                        (name, content)
                    });
                    let kept = files.filter(|(name, _)| name.contains(".blk"));
                    kept.map(|(_, content)| content).collect::<Vec<_>>()
                };
                for block in blocks(&fs) {
                    assert!(blocks(&spoilt).contains(&block), "{what}: a block is gone");
                }
                if name.starts_with("meta") {
                    spoilt.write(&path, &sound, 0).unwrap();
                    assert_whole(&kind, &spoilt, &seen, &what);
                }
            }
        }
    }
}

/// A disk with room for so many more bytes.
#[derive(Clone, Debug)]
struct Full {
    fs: CrashFs,
    room: Arc<AtomicU64>,
}

#[derive(Debug)]
struct FullFile {
    file: Box<dyn File>,
    room: Arc<AtomicU64>,
}

impl FullFile {
    /// Writes what there is room for.
    fn grow(
        &self,
        end: u64,
        buf: &[u8],
        write: impl Fn(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let more = end.saturating_sub(self.file.len()?);
        let room = self.room.load(Ordering::Relaxed);
        let lacking = more.saturating_sub(room);
        self.room.store(room - more.min(room), Ordering::Relaxed);
        write(&buf[..buf.len() - (lacking as usize).min(buf.len())])?;
        if lacking > 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl File for FullFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.grow(offset + buf.len() as u64, buf, |part| self.file.write_at(part, offset))
    }

    fn append(&self, buf: &[u8]) -> io::Result<()> {
        let end = self.file.len()? + buf.len() as u64;
        self.grow(end, buf, |part| self.file.append(part))
    }

    fn append_vectored(&self, parts: &[&[u8]]) -> io::Result<()> {
        self.append(&parts.concat())
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

impl Fs for Full {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let file = self.fs.open(path, mode)?;
        Ok(Box::new(FullFile { file, room: Arc::clone(&self.room) }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.fs.metadata(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.fs.read_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.fs.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fs.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.fs.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.fs.remove_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.fs.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.fs.sync_dir(path)
    }
}

fn a_full_disk() {
    crate::exercises!("field_statements", "F2a");
    let encrypted = ring("k", "", StoreCipher::Aes);
    let mut refused = 0;
    for kind in Kind::all() {
        // Also with a key that the stream does not have yet.
        let mut converted = kind.clone();
        converted.options.keys.clone_from(&encrypted);
        for (opens, stopped) in [(&kind, true), (&kind, false), (&converted, true)] {
            let (fs, seen) = made(&kind, stopped);
            for torn in [false, true] {
                let fs = fs.kill();
                if torn {
                    fs.write(&Path::new(DIR).join("msgs/index.db.tmp"), b"half", 0).unwrap();
                    _ = fs.remove_file(&Path::new(DIR).join("msgs/index.db"));
                }
                for room in [0, 1, 100, 300, 700, 1500] {
                    let what = format!("room for {room}, stopped {stopped}, torn {torn}");
                    let full = Full { fs: fs.kill(), room: Arc::new(AtomicU64::new(room)) };
                    let env = Env::simulated_on(room, Arc::new(full.clone()));
                    let options = opens.options.clone();
                    match FileStore::open(&env, Path::new(DIR), options, super::disk::NOW) {
                        Ok(opened) => {
                            let mut store = opened.store;
                            let found = look(&mut store).unwrap_or_else(|e| panic!("{what}: {e}"));
                            assert_eq!(found, seen, "{what}");
                            refused += usize::from(store.stop().is_err());
                        }
                        Err(_) => refused += 1,
                    }
                    // There is room again.
                    assert_whole(opens, &full.fs.kill(), &seen, &what);
                    assert_whole(opens, &full.fs.crash(room), &seen, &what);
                }
            }
        }
    }
    assert!(refused > 0, "the disk was never full");
}

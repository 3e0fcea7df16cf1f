//! The machine's file system.

use super::{File, Fs, Metadata, OpenMode};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Slices that one system call takes (`IOV_MAX` on Linux).
const PARTS_MAX: usize = 1024;

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFs;

#[derive(Debug)]
struct OsFile {
    file: std::fs::File,
    /// Opened so that the kernel puts every write at the end.
    append: bool,
}

impl File for OsFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buf, offset)
    }

    fn append(&self, buf: &[u8]) -> io::Result<()> {
        if self.append {
            return (&self.file).write_all(buf);
        }
        self.file.write_all_at(buf, self.len()?)
    }

    fn append_vectored(&self, parts: &[&[u8]]) -> io::Result<()> {
        let mut offset = if self.append { 0 } else { self.len()? };
        for parts in parts.chunks(PARTS_MAX) {
            let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut slices = &mut slices[..];
            // Empty parts in front would look like a write of nothing.
            IoSlice::advance_slices(&mut slices, 0);
            while !slices.is_empty() {
                let written = if self.append {
                    (&self.file).write_vectored(slices)
                } else {
                    rustix::io::pwritev(&self.file, slices, offset).map_err(io::Error::from)
                };
                match written {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => {
                        offset += n as u64;
                        IoSlice::advance_slices(&mut slices, n);
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
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

impl Fs for OsFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let bits = if mode.mode == 0 { 0o640 } else { mode.mode };
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(mode.write)
            .append(mode.append)
            .create(mode.create)
            .create_new(mode.create_new)
            .truncate(mode.truncate)
            .mode(bits)
            .open(path)?;
        Ok(Box::new(OsFile { file, append: mode.append }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let meta = std::fs::metadata(path)?;
        let modified_ns = meta
            .modified()?
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
        Ok(Metadata { len: meta.len(), is_dir: meta.is_dir(), modified_ns })
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut names = std::fs::read_dir(path)?
            .map(|e| e.map(|e| e.path()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(path)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_in_parts_and_replaces() {
        let dir = std::env::temp_dir().join(format!("nats-os-fs-{}", std::process::id()));
        OsFs.create_dir_all(&dir).unwrap();
        let name = dir.join("x");
        let many: Vec<&[u8]> = (0..PARTS_MAX + 10).map(|i| &b"ab"[..i % 3]).collect();
        for append in [false, true] {
            let mode = OpenMode { write: true, create: true, append, ..OpenMode::default() };
            let file = OsFs.open(&name, mode).unwrap();
            file.append_vectored(&[b"", b"one", b"", b"two"]).unwrap();
            file.append_vectored(&many).unwrap();
            file.append_vectored(&[b"", b""]).unwrap();
            file.append(b"end").unwrap();
            file.sync_all().unwrap();
            assert_eq!(OsFs.read(&name).unwrap(), [b"onetwo", &many.concat()[..], b"end"].concat());
            OsFs.replace(&name, b"", 0).unwrap();
        }
        assert_eq!(OsFs.read_dir(&dir).unwrap(), [name]);
        assert_eq!(OsFs.remove_dir(&dir).unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
        OsFs.remove_dir_all(&dir).unwrap();
    }
}

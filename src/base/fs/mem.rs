//! A file system in memory, for simulation and tests.

use super::{File, Fs, Metadata, OpenMode};
use crate::base::lock::{Mutex, Rank};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Content = Arc<Mutex<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Node {
    File(Content),
    Dir,
}

/// A file system in memory. Clones share the same files.
#[derive(Clone, Debug)]
pub struct MemFs(Arc<Mutex<BTreeMap<PathBuf, Node>>>);

impl Default for MemFs {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Rank::Disk, BTreeMap::new())))
    }
}

#[derive(Debug)]
struct MemFile {
    content: Content,
    writable: bool,
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl MemFile {
    fn writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
    }
}

impl File for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.lock();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let n = buf.len().min(content.len() - start);
        buf[..n].copy_from_slice(&content[start..start + n]);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.writable()?;
        let mut content = self.content.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        if content.len() < start + buf.len() {
            content.resize(start + buf.len(), 0);
        }
        content[start..start + buf.len()].copy_from_slice(buf);
        Ok(())
    }

    fn append(&self, buf: &[u8]) -> io::Result<()> {
        self.writable()?;
        self.content.lock().extend_from_slice(buf);
        Ok(())
    }

    fn append_vectored(&self, parts: &[&[u8]]) -> io::Result<()> {
        self.writable()?;
        let mut content = self.content.lock();
        parts.iter().for_each(|part| content.extend_from_slice(part));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content.lock().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writable()?;
        self.content.lock().resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Fs for MemFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let mut nodes = self.0.lock();
        let content = match nodes.get(path) {
            Some(Node::Dir) => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Some(Node::File(_)) if mode.create_new => {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists));
            }
            Some(Node::File(content)) => content.clone(),
            None if mode.create || mode.create_new => {
                let content = Arc::new(Mutex::new(Rank::Leaf, Vec::new()));
                nodes.insert(path.to_owned(), Node::File(content.clone()));
                content
            }
            None => return Err(not_found()),
        };
        if mode.truncate {
            content.lock().clear();
        }
        Ok(Box::new(MemFile { content, writable: mode.write || mode.append }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        match self.0.lock().get(path) {
            Some(Node::File(c)) => {
                Ok(Metadata { len: c.lock().len() as u64, is_dir: false, modified_ns: 0 })
            }
            Some(Node::Dir) => Ok(Metadata { len: 0, is_dir: true, modified_ns: 0 }),
            None => Err(not_found()),
        }
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let nodes = self.0.lock();
        Ok(nodes.keys().filter(|p| p.parent() == Some(path)).cloned().collect())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.0.lock();
        for dir in path.ancestors().filter(|a| !a.as_os_str().is_empty()) {
            nodes.entry(dir.to_owned()).or_insert(Node::Dir);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut nodes = self.0.lock();
        let moved: Vec<_> = nodes.keys().filter(|p| p.starts_with(from)).cloned().collect();
        if moved.is_empty() {
            return Err(not_found());
        }
        if matches!((nodes.get(from), nodes.get(to)), (Some(Node::File(_)), Some(Node::Dir))) {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        for path in moved {
            let target = match path.strip_prefix(from) {
                Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
                _ => to.to_owned(),
            };
            if let Some(node) = nodes.remove(&path) {
                nodes.insert(target, node);
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.lock().remove(path).map(|_| ()).ok_or_else(not_found)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.0.lock();
        match nodes.get(path) {
            Some(Node::Dir) if nodes.keys().any(|p| p.parent() == Some(path)) => {
                Err(io::Error::from(io::ErrorKind::DirectoryNotEmpty))
            }
            Some(Node::Dir) => {
                nodes.remove(path);
                Ok(())
            }
            Some(Node::File(_)) => Err(io::Error::from(io::ErrorKind::NotADirectory)),
            None => Err(not_found()),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.0.lock();
        if !nodes.contains_key(path) {
            return Err(not_found());
        }
        nodes.retain(|p, _| !p.starts_with(path));
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_read_rename() {
        let fs = MemFs::default();
        fs.create_dir_all(Path::new("/a")).unwrap();
        fs.write(Path::new("/a/x"), b"hello", 0).unwrap();
        fs.rename(Path::new("/a/x"), Path::new("/a/y")).unwrap();
        assert_eq!(fs.read(Path::new("/a/y")).unwrap(), b"hello");
        assert_eq!(fs.read_dir(Path::new("/a")).unwrap(), [PathBuf::from("/a/y")]);
        assert!(fs.read(Path::new("/a/x")).is_err());
    }
}

//! A file system in memory that fails the way disks do, for tests of what must survive.
//!
//! The fault model:
//!
//! - **Power loss** ([`CrashFs::crash`]). Every file has a live image, which programs see, and a
//!   durable one. [`File::sync_data`] and [`File::sync_all`] carry a file's changes over. What was
//!   not synced may be lost, kept, kept in part up to any byte, kept in sectors of 512 bytes in
//!   any order, or leave its length behind without its data. Names are apart from content: a
//!   creation, a rename or a removal is durable once [`Fs::sync_dir`] was called on a directory
//!   it touches; until then any subset of them may be found, except that a change is not found
//!   without older ones of the same name, and a rename is found whole or not at all. Syncing a
//!   file does not make its name durable.
//! - **Death of the process** ([`CrashFs::kill`]). Everything written is found.
//! - **A failed operation** ([`CrashFs::fail_at`]). The n-th operation from now reports an I/O
//!   error, a full disk, or reads too little. A write to a full disk leaves its first half. A sync
//!   that fails gives up what it should have written: later syncs succeed without it, as Linux
//!   does it.
//! - **The end at the n-th operation** ([`Fault::Freeze`]): it and all later ones fail and change
//!   nothing, so that "crash at every operation" is a loop.
//! - **A rotten medium** ([`CrashFs::flip_bit`], [`CrashFs::truncate`]): a file changes where it
//!   lies.
//!
//! Not modelled: hard links, permissions, times, reads that return old data.
//!
//! What happens depends on the calls and the seeds alone.

mod image;
mod names;
#[cfg(test)]
mod tests;

use super::{File, Fs, Metadata, OpenMode};
use crate::base::Rng;
use crate::base::lock::{Mutex, Rank};
use image::FileImage;
use names::{Ino, Names};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

const ROOT: Ino = 0;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`.
    Io,
    /// `ENOSPC`; a write leaves its first half.
    NoSpace,
    /// A read returns half of what there is; other operations succeed.
    ShortRead,
    /// It and everything after it fails with `EIO` and changes nothing.
    Freeze,
}

/// A file system with the faults of the module's documentation. Clones share the same disk.
#[derive(Clone, Debug)]
pub struct CrashFs(Arc<Mutex<Disk>>);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    File(FileImage),
    Dir,
}

#[derive(Clone, Debug)]
struct Disk {
    nodes: Vec<Node>,
    names: Names,
    /// Operations tried so far.
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    frozen: bool,
}

#[derive(Debug)]
struct CrashFile {
    disk: Arc<Mutex<Disk>>,
    ino: Ino,
    writable: bool,
}

impl Default for CrashFs {
    fn default() -> Self {
        Self::with(Disk {
            nodes: vec![Node::Dir],
            names: Names::default(),
            operations: 0,
            faults: BTreeMap::new(),
            frozen: false,
        })
    }
}

impl CrashFs {
    fn with(disk: Disk) -> Self {
        Self(Arc::new(Mutex::new(Rank::Disk, disk)))
    }

    /// Operations tried so far, failed ones included.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Lets the `n`-th operation from now fail; 1 is the next.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        let mut disk = self.0.lock();
        let at = disk.operations.saturating_add(n);
        disk.faults.insert(at, fault);
    }

    /// What is found after power loss now. The same seed finds the same; this disk goes on.
    pub fn crash(&self, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let disk = self.0.lock();
        let nodes = disk.nodes.iter().map(|node| match node {
            Node::Dir => Node::Dir,
            Node::File(file) => Node::File(FileImage::settled(file.after_power_loss(&mut rng))),
        });
        let nodes = nodes.collect();
        let names = disk.names.clone().after_power_loss(&mut rng);
        Self::with(Disk::new(nodes, Names::settled(names)))
    }

    /// What the next process finds when this one dies now. This disk goes on.
    pub fn kill(&self) -> Self {
        let disk = self.0.lock();
        Self::with(Disk::new(disk.nodes.clone(), disk.names.clone()))
    }

    /// Whether another disk holds the same, and the same of it is durable: what only reads changes
    /// neither.
    pub fn holds_the_same(&self, other: &Self) -> bool {
        let (nodes, names) = {
            let other = other.0.lock();
            (other.nodes.clone(), other.names.clone())
        };
        let disk = self.0.lock();
        disk.nodes == nodes && disk.names == names
    }

    /// Flips bit `bit` (0 is the lowest of the first byte) of a file.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let offset = usize::try_from(bit / 8).map_err(io::Error::other)?;
        let found = self.0.lock().file(path)?.damage(offset, 1 << (bit % 8));
        if found { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Cuts a file to its first `len` bytes.
    pub fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.0.lock().file(path)?.cut(len);
        Ok(())
    }

    /// All files, sorted, with their live content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let disk = self.0.lock();
        let mut found = Vec::new();
        let mut dirs = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, dir)) = dirs.pop() {
            for (name, ino) in disk.names.list(dir) {
                match &disk.nodes[ino] {
                    Node::Dir => dirs.push((path.join(name), ino)),
                    Node::File(file) => found.push((path.join(name), file.live().to_vec())),
                }
            }
        }
        found.sort();
        found
    }
}

impl Disk {
    fn new(nodes: Vec<Node>, names: Names) -> Self {
        Self { nodes, names, operations: 0, faults: BTreeMap::new(), frozen: false }
    }

    /// Counts an operation; the fault that it meets, if it does not end in an error at once.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        self.operations += 1;
        let fault = self.faults.remove(&self.operations);
        self.frozen |= fault == Some(Fault::Freeze);
        if self.frozen {
            return Err(rustix::io::Errno::IO.into());
        }
        Ok(fault)
    }

    /// [`Disk::begin`] of an operation that succeeds or fails as a whole.
    fn begin_whole(&mut self) -> io::Result<()> {
        match self.begin()? {
            Some(Fault::Io) => Err(rustix::io::Errno::IO.into()),
            Some(Fault::NoSpace) => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn lookup(&self, path: &Path) -> io::Result<Ino> {
        let mut at = ROOT;
        for name in parts(path)? {
            if !matches!(self.nodes[at], Node::Dir) {
                return Err(ErrorKind::NotADirectory.into());
            }
            at = self.names.find(at, name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The directory of a path, and the name in it.
    fn place<'p>(&self, path: &'p Path) -> io::Result<(Ino, &'p OsStr)> {
        let mut names = parts(path)?;
        let name = names.pop().ok_or(ErrorKind::InvalidInput)?;
        let mut at = ROOT;
        for part in names {
            at = self.names.find(at, part).ok_or(ErrorKind::NotFound)?;
        }
        if matches!(self.nodes[at], Node::Dir) {
            Ok((at, name))
        } else {
            Err(ErrorKind::NotADirectory.into())
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut FileImage> {
        let ino = self.lookup(path)?;
        self.image(ino)
    }

    fn image(&mut self, ino: Ino) -> io::Result<&mut FileImage> {
        match &mut self.nodes[ino] {
            Node::File(file) => Ok(file),
            Node::Dir => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn is_dir(&self, ino: Ino) -> bool {
        matches!(self.nodes[ino], Node::Dir)
    }

    fn add(&mut self, dir: Ino, name: &OsStr, node: Node) -> Ino {
        let ino = self.nodes.len();
        self.nodes.push(node);
        self.names.insert(dir, name, ino);
        ino
    }

    /// What lies below a directory, deepest first, for its removal name by name.
    fn below(&self, dir: Ino) -> Vec<(Ino, std::ffi::OsString)> {
        let mut found = Vec::new();
        let mut dirs = vec![dir];
        while let Some(dir) = dirs.pop() {
            for (name, ino) in self.names.list(dir) {
                found.push((dir, name.to_owned()));
                if self.is_dir(ino) {
                    dirs.push(ino);
                }
            }
        }
        found.reverse();
        found
    }
}

/// The names of a path, from the root.
fn parts(path: &Path) -> io::Result<Vec<&OsStr>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name),
            Component::RootDir | Component::CurDir => {}
            _ => return Err(ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}

impl CrashFile {
    fn write(&self, offset: Option<u64>, buf: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let fault = disk.begin()?;
        if !self.writable {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let file = disk.image(self.ino)?;
        let offset = match offset {
            Some(offset) => usize::try_from(offset).map_err(io::Error::other)?,
            None => file.live().len(),
        };
        offset.checked_add(buf.len()).ok_or(ErrorKind::FileTooLarge)?;
        match fault {
            Some(Fault::Io) => Err(rustix::io::Errno::IO.into()),
            Some(Fault::NoSpace) => {
                file.write(offset, &buf[..buf.len() / 2]);
                Err(ErrorKind::StorageFull.into())
            }
            _ => {
                file.write(offset, buf);
                Ok(())
            }
        }
    }
}

impl File for CrashFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        let fault = disk.begin()?;
        if fault == Some(Fault::Io) {
            return Err(rustix::io::Errno::IO.into());
        }
        let content = disk.image(self.ino)?.live();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let mut n = buf.len().min(content.len() - start);
        if fault == Some(Fault::ShortRead) {
            n /= 2;
        }
        buf[..n].copy_from_slice(&content[start..start + n]);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write(Some(offset), buf)
    }

    fn append(&self, buf: &[u8]) -> io::Result<()> {
        self.write(None, buf)
    }

    fn append_vectored(&self, parts: &[&[u8]]) -> io::Result<()> {
        self.write(None, &parts.concat())
    }

    fn len(&self) -> io::Result<u64> {
        let mut disk = self.disk.lock();
        disk.begin_whole()?;
        Ok(disk.image(self.ino)?.live().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.begin_whole()?;
        if !self.writable {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let len = usize::try_from(len).map_err(io::Error::other)?;
        disk.image(self.ino)?.set_len(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let begun = disk.begin_whole();
        let frozen = disk.frozen;
        let file = disk.image(self.ino)?;
        match begun {
            Ok(()) => file.sync(),
            Err(_) if !frozen => file.sync_failed(),
            Err(_) => {}
        }
        begun
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Fs for CrashFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let mut disk = self.0.lock();
        disk.begin_whole()?;
        let (dir, name) = disk.place(path)?;
        let ino = match disk.names.find(dir, name) {
            Some(_) if mode.create_new => return Err(ErrorKind::AlreadyExists.into()),
            Some(ino) => {
                let file = disk.image(ino)?;
                if mode.truncate && !file.live().is_empty() {
                    file.set_len(0);
                }
                ino
            }
            None if mode.create || mode.create_new => {
                disk.add(dir, name, Node::File(FileImage::default()))
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        let writable = mode.write || mode.append;
        Ok(Box::new(CrashFile { disk: Arc::clone(&self.0), ino, writable }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut disk = self.0.lock();
        disk.begin_whole()?;
        let ino = disk.lookup(path)?;
        Ok(match &disk.nodes[ino] {
            Node::File(file) => {
                Metadata { len: file.live().len() as u64, is_dir: false, modified_ns: 0 }
            }
            Node::Dir => Metadata { len: 0, is_dir: true, modified_ns: 0 },
        })
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut disk = self.0.lock();
        disk.begin_whole()?;
        let dir = disk.lookup(path)?;
        if !disk.is_dir(dir) {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(disk.names.list(dir).map(|(name, _)| path.join(name)).collect())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        let mut at = ROOT;
        for name in parts(path)? {
            at = match disk.names.find(at, name) {
                Some(ino) if disk.is_dir(ino) => ino,
                Some(_) => return Err(ErrorKind::NotADirectory.into()),
                None => {
                    disk.begin_whole()?;
                    disk.add(at, name, Node::Dir)
                }
            };
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.begin_whole()?;
        let source = disk.place(from)?;
        let ino = disk.names.find(source.0, source.1).ok_or(ErrorKind::NotFound)?;
        let target = disk.place(to)?;
        if from != to && to.starts_with(from) {
            return Err(ErrorKind::InvalidInput.into());
        }
        match disk.names.find(target.0, target.1) {
            Some(old) if old == ino => return Ok(()),
            Some(old) => match (disk.is_dir(ino), disk.is_dir(old)) {
                (false, true) => return Err(ErrorKind::IsADirectory.into()),
                (true, false) => return Err(ErrorKind::NotADirectory.into()),
                (true, true) if disk.names.list(old).next().is_some() => {
                    return Err(ErrorKind::DirectoryNotEmpty.into());
                }
                _ => {}
            },
            None => {}
        }
        disk.names.rename(source, target, ino);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.begin_whole()?;
        let (dir, name) = disk.place(path)?;
        let ino = disk.names.find(dir, name).ok_or(ErrorKind::NotFound)?;
        if disk.is_dir(ino) {
            return Err(ErrorKind::IsADirectory.into());
        }
        disk.names.remove(dir, name);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.begin_whole()?;
        let (dir, name) = disk.place(path)?;
        let ino = disk.names.find(dir, name).ok_or(ErrorKind::NotFound)?;
        if !disk.is_dir(ino) {
            return Err(ErrorKind::NotADirectory.into());
        }
        if disk.names.list(ino).next().is_some() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        disk.names.remove(dir, name);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        let (dir, name) = disk.place(path)?;
        let ino = disk.names.find(dir, name).ok_or(ErrorKind::NotFound)?;
        if !disk.is_dir(ino) {
            return Err(ErrorKind::NotADirectory.into());
        }
        for (dir, name) in disk.below(ino) {
            disk.begin_whole()?;
            disk.names.remove(dir, &name);
        }
        disk.begin_whole()?;
        disk.names.remove(dir, name);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.begin_whole()?;
        let dir = disk.lookup(path)?;
        if !disk.is_dir(dir) {
            return Err(ErrorKind::NotADirectory.into());
        }
        disk.names.sync(dir);
        Ok(())
    }
}

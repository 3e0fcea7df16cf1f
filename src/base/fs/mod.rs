//! The file system: a small synchronous interface with an operating system and two in-memory
//! implementations, one plain and one that fails as disks do. Callers on network threads go
//! through [`crate::base::tasks::TaskScope::blocking`].

mod crash;
mod gate;
mod mem;
mod os;

pub use crash::{CrashFs, Fault};
pub use gate::{
    Gate, GateStats, GatedFs, OPERATIONS_DEFAULT, OPERATIONS_MAX, OPERATIONS_MIN, Pass,
};
pub use mem::MemFs;
pub use os::OsFs;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenMode {
    /// Allow writing.
    pub write: bool,
    /// Create it if it does not exist.
    pub create: bool,
    /// Fail if it exists.
    pub create_new: bool,
    /// Cut it to nothing.
    pub truncate: bool,
    /// Every write goes to the end, also beside another process that appends.
    pub append: bool,
    /// Permission bits of a created file; 0 is `0o640`.
    pub mode: u32,
}

/// What is known about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes.
    pub len: u64,
    /// A directory.
    pub is_dir: bool,
    /// Last change, nanoseconds since the Unix epoch.
    pub modified_ns: i64,
}

/// An open file.
pub trait File: Send + Sync + Debug {
    /// Reads at `offset`; fewer bytes than asked for means end of file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `buf` at `offset`.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    /// Writes all of `buf` at the end.
    fn append(&self, buf: &[u8]) -> io::Result<()>;
    /// Writes all of `parts` at the end, one after the other, in as few system calls as it takes.
    fn append_vectored(&self, parts: &[&[u8]]) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes content and length durable; not the file's name, see [`Fs::sync_dir`].
    fn sync_data(&self) -> io::Result<()>;
    /// [`File::sync_data`], with times and permissions.
    fn sync_all(&self) -> io::Result<()>;
    /// Whether it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A file system.
pub trait Fs: Send + Sync + Debug {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>>;
    /// Looks a path up.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// The paths of all that a directory holds, files and directories, sorted by name.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes a directory and its parents; none of them is durable by that.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or a directory. A file replaces a file, a directory an empty directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all it holds.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::default())?;
        let mut out = Vec::new();
        loop {
            let (from, step) = (out.len(), out.len().clamp(READ_STEP, 128 * READ_STEP));
            out.resize(from + step, 0);
            let n = file.read_at(&mut out[from..], from as u64)?;
            out.truncate(from + n);
            if n == 0 {
                return Ok(out);
            }
        }
    }

    /// The whole content of a text file.
    fn read_to_string(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not valid UTF-8"))
    }

    /// Replaces a file's content (not atomic).
    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let open =
            OpenMode { write: true, create: true, truncate: true, mode, ..Default::default() };
        self.open(path, open)?.write_at(content, 0)
    }

    /// Replaces a file's content for good: after a crash at any point there is the old file or the
    /// new one, and after this returns only the new one. What was written aside (`<name>.tmp`) is
    /// left behind only by a crash.
    fn replace(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".tmp");
        let aside = Path::new(&aside);
        let written = (|| {
            let open =
                OpenMode { write: true, create: true, truncate: true, mode, ..Default::default() };
            let file = self.open(aside, open)?;
            file.write_at(content, 0)?;
            file.sync_all()?;
            self.rename(aside, path)
        })();
        if let Err(e) = written {
            // The error that is told is the first.
            let _ = self.remove_file(aside);
            return Err(e);
        }
        self.sync_dir(path.parent().unwrap_or(Path::new("/")))
    }
}

/// Bytes that a file is read in at least, when its length is not asked for.
const READ_STEP: usize = 64 * 1024;

/// What the system said about a file, in the words of C (`no such file or directory`): upstream's
/// messages have them, and tools look for them.
pub fn reason(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory",
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::IsADirectory => "is a directory",
        io::ErrorKind::NotADirectory => "not a directory",
        io::ErrorKind::AlreadyExists => "file exists",
        io::ErrorKind::ConnectionRefused => "connection refused",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

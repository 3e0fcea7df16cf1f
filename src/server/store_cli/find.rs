//! Which streams a folder stands for.

use crate::base::fs::Fs;
use crate::store::file::layout;
use std::path::{Path, PathBuf};

/// A stream's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The account that it belongs to.
    pub account: String,
    /// Its name.
    pub stream: String,
    /// Its folder.
    pub dir: PathBuf,
    /// The only consumer that is meant; all when there is none.
    pub consumer: Option<String>,
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn parent(path: &Path, levels: usize) -> &Path {
    path.ancestors().nth(levels).unwrap_or(Path::new(""))
}

/// The streams that `dir` stands for, by account and name. `dir` is absolute.
///
/// # Errors
///
/// When it is no part of a store, or not readable.
pub(super) fn streams(fs: &dyn Fs, dir: &Path) -> Result<Vec<Place>, String> {
    let is_dir = |path: &Path| fs.metadata(path).is_ok_and(|metadata| metadata.is_dir);
    let is_named = |path: &Path, wanted: &str| name(path) == wanted;
    let metadata = fs.metadata(dir);
    metadata.map_err(|e| format!("{}: {}", dir.display(), crate::base::fs::reason(&e)))?;
    if is_named(parent(dir, 1), layout::CONSUMERS) && is_named(parent(dir, 3), layout::STREAMS) {
        let consumer = Some(name(dir));
        return Ok(vec![Place { consumer, ..place(parent(dir, 2)) }]);
    }
    if is_named(parent(dir, 1), layout::STREAMS) || is_dir(&dir.join(layout::MESSAGES)) {
        return Ok(vec![place(dir)]);
    }
    if is_dir(&dir.join(layout::STREAMS)) {
        return account(fs, dir);
    }
    let root = dir.join("jetstream");
    let root = if is_dir(&root) { root } else { dir.to_owned() };
    let mut found = Vec::new();
    let mut is_store = is_named(&root, "jetstream");
    for child in list(fs, &root)? {
        if is_dir(&child.join(layout::STREAMS)) {
            is_store = true;
            found.extend(account(fs, &child)?);
        }
    }
    if is_store { Ok(found) } else { Err(format!("{}: not a store", dir.display())) }
}

fn place(dir: &Path) -> Place {
    let account = name(parent(dir, 2));
    Place { account, stream: name(dir), dir: dir.to_owned(), consumer: None }
}

/// The streams of an account. What begins with two underscores is at work, and with a dot half
/// made or half removed: no streams.
fn account(fs: &dyn Fs, dir: &Path) -> Result<Vec<Place>, String> {
    let mut found = Vec::new();
    for stream in list(fs, &dir.join(layout::STREAMS))? {
        let is_dir = fs.metadata(&stream).is_ok_and(|metadata| metadata.is_dir);
        let name = name(&stream);
        if is_dir && !name.starts_with("__") && !name.starts_with('.') {
            found.push(place(&stream));
        }
    }
    Ok(found)
}

fn list(fs: &dyn Fs, dir: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = fs.read_dir(dir);
    listed.map_err(|e| format!("{}: {}", dir.display(), crate::base::fs::reason(&e)))
}

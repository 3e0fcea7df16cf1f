//! Files put in the place of others, so that a crash leaves the old ones or the new ones.

use crate::base::fs::{Fs, OpenMode};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What the name of a file begins with until all that belong to it are there: upstream takes
/// whatever begins as `7.blk` does for that block.
const PREFIX: &str = "new.";
/// What it ends with: upstream removes each `.key` that has no block.
const SUFFIX: &str = ".part";

/// Replaces a file's content. When `durable`, only the new content is found from then on, whatever
/// happens. Otherwise the death of this process leaves the old or the new, and power loss may leave
/// a file that is neither.
///
/// # Errors
///
/// What the system says; the old file is there then, or the new one.
pub fn file(fs: &dyn Fs, path: &Path, content: &[u8], durable: bool) -> io::Result<()> {
    if durable {
        return fs.replace(path, content, 0);
    }
    let aside = path.with_added_extension("tmp");
    let written = fs.write(&aside, content, 0).and_then(|()| fs.rename(&aside, path));
    if written.is_err() {
        // The error that is told is the first.
        let _ = fs.remove_file(&aside);
    }
    written
}

/// Replaces a file's content so that no crash leaves a file that is neither the old nor the new one.
/// Which of them a loss of power leaves is not waited for, unless it is to be `durable`.
///
/// # Errors
///
/// What the system says; the old file is there then, or the new one.
pub fn whole(fs: &dyn Fs, path: &Path, content: &[u8], durable: bool) -> io::Result<()> {
    if durable {
        return fs.replace(path, content, 0);
    }
    let aside = path.with_added_extension("tmp");
    let mode = OpenMode { write: true, create: true, truncate: true, ..OpenMode::default() };
    let written = fs.open(&aside, mode).and_then(|file| {
        file.write_at(content, 0)?;
        file.sync_data()?;
        fs.rename(&aside, path)
    });
    if written.is_err() {
        // The error that is told is the first.
        let _ = fs.remove_file(&aside);
    }
    written
}

/// Replaces several files at once, durably: after a crash [`resume`] finds all of the old ones or
/// all of the new ones. The content of `last` decides: it is written after all others are on disk,
/// and takes its place after them.
///
/// # Errors
///
/// What the system says; the files are not to be used before [`resume`] then.
pub fn together(fs: &dyn Fs, files: &[(PathBuf, Vec<u8>)], last: (&Path, &[u8])) -> io::Result<()> {
    let mode = OpenMode { write: true, create: true, truncate: true, ..OpenMode::default() };
    for (path, content) in files {
        let file = fs.open(&aside(path), mode)?;
        file.write_at(content, 0)?;
        file.sync_all()?;
    }
    let paths: Vec<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
    sync_folders(fs, &paths)?;
    fs.replace(&aside(last.0), last.1, 0)?;
    finish(fs, &paths, last.0)
}

/// Ends what a crash interrupted: if the last of the new files is there, all take their places,
/// otherwise they are removed.
///
/// # Errors
///
/// What the system says.
pub fn resume(fs: &dyn Fs, paths: &[&Path], last: &Path) -> io::Result<()> {
    let decides = aside(last);
    if is_there(fs, &decides)? {
        return finish(fs, paths, last);
    }
    for path in paths {
        remove_if_there(fs, &aside(path))?;
    }
    remove_if_there(fs, &decides.with_added_extension("tmp"))
}

/// What a file is called before it takes its place.
pub fn aside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(PREFIX);
    name.push(path.file_name().unwrap_or_default());
    name.push(SUFFIX);
    path.with_file_name(name)
}

/// The place of a file that has not taken it yet; nothing for other files.
pub fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    Some(path.with_file_name(name))
}

fn finish(fs: &dyn Fs, paths: &[&Path], last: &Path) -> io::Result<()> {
    for path in paths {
        match fs.rename(&aside(path), path) {
            // It took its place before the crash, or did not change.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    sync_folders(fs, paths)?;
    fs.rename(&aside(last), last)?;
    fs.sync_dir(last.parent().unwrap_or(last))
}

/// Makes the names in the folders of files durable, as far as there are such folders.
fn sync_folders(fs: &dyn Fs, paths: &[&Path]) -> io::Result<()> {
    let mut folders: Vec<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    folders.dedup();
    for folder in folders {
        match fs.sync_dir(folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Whether there is something of this name.
pub fn is_there(fs: &dyn Fs, path: &Path) -> io::Result<bool> {
    match fs.metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes a file; that there is none is no error.
pub fn remove_if_there(fs: &dyn Fs, path: &Path) -> io::Result<()> {
    match fs.remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::{CrashFs, Fault};

    const PATHS: [&str; 3] = ["/d/a", "/d/e/b", "/d/key"];

    fn disk() -> CrashFs {
        let fs = CrashFs::default();
        fs.create_dir_all(Path::new("/d/e")).unwrap();
        for path in PATHS {
            fs.replace(Path::new(path), b"old", 0).unwrap();
        }
        for dir in ["/", "/d"] {
            fs.sync_dir(Path::new(dir)).unwrap();
        }
        fs
    }

    fn change(fs: &CrashFs) -> io::Result<()> {
        let [a, b, key] = PATHS.map(Path::new);
        let files = [(a.to_owned(), b"new".to_vec()), (b.to_owned(), b"new".to_vec())];
        together(fs, &files, (key, b"new"))
    }

    /// What is found after [`resume`]: all old or all new, and nothing else.
    fn found(fs: &CrashFs) -> Vec<u8> {
        let [a, b, key] = PATHS.map(Path::new);
        resume(fs, &[a, b], key).unwrap();
        let files: Vec<_> = fs.files();
        assert_eq!(files.len(), PATHS.len(), "{files:?}");
        let [a, b, key] = [a, b, key].map(|path| fs.read(path).unwrap());
        assert!(a == b && b == key, "{a:?} {b:?} {key:?}");
        a
    }

    #[test]
    fn a_crash_leaves_all_of_the_old_or_all_of_the_new() {
        let sound = disk();
        let before = sound.operations();
        change(&sound).unwrap();
        assert_eq!(found(&sound.crash(1)), b"new");
        for n in 1..=sound.operations() - before {
            let fs = disk();
            fs.fail_at(n, Fault::Freeze);
            let done = change(&fs).is_ok();
            assert!(!done);
            found(&fs.kill());
            for seed in 0..16 {
                let after = fs.crash(seed);
                let content = found(&after);
                // It stays so, also when the next crash follows at once.
                assert_eq!(found(&after.crash(seed)), content);
            }
        }
    }

    #[test]
    fn an_interrupted_end_can_be_interrupted() {
        let fs = disk();
        let before = fs.operations();
        let sound = disk();
        change(&sound).unwrap();
        let operations = sound.operations() - before;
        for at in 1..=operations {
            let fs = disk();
            fs.fail_at(at, Fault::Freeze);
            assert!(change(&fs).is_err());
            for n in 1..12 {
                let again = fs.crash(n);
                again.fail_at(n, Fault::Freeze);
                let [a, b, key] = PATHS.map(Path::new);
                let _ = resume(&again, &[a, b], key);
                found(&again.crash(n));
            }
        }
    }

    #[test]
    fn a_file_is_old_or_new_whatever_happens() {
        let path = Path::new("/d/a");
        for durable in [false, true] {
            let sound = disk();
            let before = sound.operations();
            whole(&sound, path, b"newer", durable).unwrap();
            for n in 1..=sound.operations() - before + 1 {
                let fs = disk();
                fs.fail_at(n, Fault::Freeze);
                let done = whole(&fs, path, b"newer", durable).is_ok();
                let found = fs.kill().read(path).unwrap();
                assert!(found == b"newer" || (found == b"old" && !done), "{n}: {found:?}");
                for seed in 0..16 {
                    let found = fs.crash(seed).read(path).unwrap();
                    let is_old = found == b"old" && !(durable && done);
                    assert!(is_old || found == b"newer", "{n}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_not_durable_survives_the_death_of_the_process() {
        let path = Path::new("/d/a");
        let write = |fs: &CrashFs| file(fs, path, b"new", false);
        let sound = disk();
        let before = sound.operations();
        write(&sound).unwrap();
        for n in 1..=sound.operations() - before {
            let fs = disk();
            fs.fail_at(n, Fault::Freeze);
            assert!(write(&fs).is_err());
            assert_eq!(fs.kill().read(path).unwrap(), b"old");
            let fs = disk();
            fs.fail_at(n, Fault::NoSpace);
            assert!(write(&fs).is_err());
            assert_eq!(fs.files().len(), PATHS.len(), "nothing is left aside");
        }
    }
}

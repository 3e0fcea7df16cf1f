use super::*;
use std::collections::BTreeSet;

const SEEDS: u64 = 300;

fn path(text: &str) -> &Path {
    Path::new(text)
}

fn writable() -> OpenMode {
    OpenMode { write: true, create: true, ..OpenMode::default() }
}

/// What a file holds after power loss, over many seeds; `None` when it is not there.
fn outcomes(fs: &CrashFs, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..SEEDS).map(|seed| fs.crash(seed).read(path(name)).ok()).collect()
}

/// A file that is there for good.
fn settled(name: &str, content: &[u8]) -> CrashFs {
    let fs = CrashFs::default();
    let file = fs.open(path(name), writable()).unwrap();
    file.write_at(content, 0).unwrap();
    file.sync_data().unwrap();
    fs.sync_dir(path("/")).unwrap();
    fs
}

#[test]
fn a_program_sees_what_it_did() {
    let fs = CrashFs::default();
    fs.create_dir_all(path("/a/b")).unwrap();
    let file = fs.open(path("/a/b/x"), writable()).unwrap();
    file.append(b"one").unwrap();
    file.append_vectored(&[b"", b"two", b"three"]).unwrap();
    file.write_at(b"O", 0).unwrap();
    fs.rename(path("/a/b/x"), path("/a/y")).unwrap();
    assert_eq!(fs.read(path("/a/y")).unwrap(), b"Onetwothree");
    file.set_len(3).unwrap();
    assert_eq!(fs.metadata(path("/a/y")).unwrap().len, 3);
    assert_eq!(fs.read_dir(path("/a")).unwrap(), [path("/a/b"), path("/a/y")]);
    fs.remove_dir(path("/a/b")).unwrap();
    assert_eq!(fs.remove_dir(path("/a")).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    fs.remove_dir_all(path("/a")).unwrap();
    assert!(fs.files().is_empty());
    assert_eq!(fs.read(path("/a/y")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_synced_survives() {
    let fs = settled("/x", b"safe");
    assert_eq!(outcomes(&fs, "/x"), BTreeSet::from([Some(b"safe".to_vec())]));
}

#[test]
fn a_name_needs_its_directory_synced() {
    let fs = CrashFs::default();
    let file = fs.open(path("/x"), writable()).unwrap();
    file.write_at(b"data", 0).unwrap();
    file.sync_all().unwrap();
    assert_eq!(outcomes(&fs, "/x"), BTreeSet::from([None, Some(b"data".to_vec())]));
}

#[test]
fn unsynced_writes_are_lost_kept_torn_or_out_of_order() {
    let fs = settled("/x", &[1; 1024]);
    let file = fs.open(path("/x"), writable()).unwrap();
    file.write_at(&[2; 1024], 0).unwrap();
    file.append(b"tail").unwrap();
    let found = outcomes(&fs, "/x");
    let has = |wanted: &dyn Fn(&[u8]) -> bool| found.iter().flatten().any(|found| wanted(found));
    assert!(has(&|found| found == [1; 1024]), "all lost");
    assert!(has(&|found| found[..1024] == [2; 1024] && found.ends_with(b"tail")), "all kept");
    assert!(has(&|found| found[..512] == [1; 512] && found[512..1024] == [2; 512]), "a sector");
    assert!(has(&|found| found[3] == 2 && found[511] == 1), "torn within a sector");
    assert!(has(&|found| found[0] == 1 && found.ends_with(b"tail")), "the later one alone");
    assert!(has(&|found| found.ends_with(&[0; 4])), "a length without its data");
    assert!(has(&|found| found.len() == 1026), "a torn append");
    assert!(found.iter().all(|found| found.as_ref().is_some_and(|found| found.len() >= 1024)));
}

#[test]
fn a_rename_is_found_whole_or_not_at_all() {
    let fs = settled("/x", b"old");
    let file = fs.open(path("/x.tmp"), writable()).unwrap();
    file.write_at(b"new", 0).unwrap();
    file.sync_data().unwrap();
    fs.rename(path("/x.tmp"), path("/x")).unwrap();
    let both = BTreeSet::from([Some(b"new".to_vec()), Some(b"old".to_vec())]);
    assert_eq!(outcomes(&fs, "/x"), both);
    assert!((0..SEEDS).any(|seed| fs.crash(seed).read(path("/x.tmp")).is_ok()));
    fs.sync_dir(path("/")).unwrap();
    assert_eq!(outcomes(&fs, "/x"), BTreeSet::from([Some(b"new".to_vec())]));
    assert_eq!(outcomes(&fs, "/x.tmp"), BTreeSet::from([None]));
}

#[test]
fn a_rename_without_a_sync_of_the_content_may_leave_nothing() {
    let fs = settled("/x", b"old");
    fs.open(path("/x.tmp"), writable()).unwrap().write_at(b"new", 0).unwrap();
    fs.rename(path("/x.tmp"), path("/x")).unwrap();
    assert!(outcomes(&fs, "/x").contains(&Some(Vec::new())));
}

#[test]
fn a_synced_directory_takes_what_it_builds_upon_along() {
    let fs = CrashFs::default();
    fs.create_dir_all(path("/a")).unwrap();
    fs.create_dir_all(path("/b")).unwrap();
    fs.sync_dir(path("/")).unwrap();
    fs.write(path("/a/x"), b"", 0).unwrap();
    fs.rename(path("/a/x"), path("/b/x")).unwrap();
    fs.sync_dir(path("/b")).unwrap();
    assert_eq!(outcomes(&fs, "/b/x"), BTreeSet::from([Some(Vec::new())]));
    assert_eq!(outcomes(&fs, "/a/x"), BTreeSet::from([None]));
}

#[test]
fn a_removal_may_come_back_until_it_is_synced() {
    let fs = settled("/x", b"data");
    fs.remove_file(path("/x")).unwrap();
    assert_eq!(outcomes(&fs, "/x"), BTreeSet::from([None, Some(b"data".to_vec())]));
    fs.sync_dir(path("/")).unwrap();
    assert_eq!(outcomes(&fs, "/x"), BTreeSet::from([None]));
}

#[test]
fn death_of_the_process_keeps_everything() {
    let fs = CrashFs::default();
    fs.write(path("/x"), b"unsynced", 0).unwrap();
    let next = fs.kill();
    assert_eq!(next.read(path("/x")).unwrap(), b"unsynced");
    // Power loss after it still takes what was never synced.
    assert!(outcomes(&next, "/x").contains(&None));
    // And the two do not share a disk.
    fs.remove_file(path("/x")).unwrap();
    assert!(next.read(path("/x")).is_ok());
}

#[test]
fn the_nth_operation_fails() {
    let fs = settled("/x", b"abcdefgh");
    let file = fs.open(path("/x"), writable()).unwrap();
    let before = fs.operations();
    fs.fail_at(2, Fault::Io);
    file.write_at(b"A", 0).unwrap();
    assert_eq!(file.write_at(b"B", 1).unwrap_err().raw_os_error(), Some(5));
    fs.fail_at(1, Fault::NoSpace);
    assert_eq!(file.append(b"1234").unwrap_err().kind(), ErrorKind::StorageFull);
    fs.fail_at(1, Fault::ShortRead);
    let mut buf = [0; 8];
    assert_eq!(file.read_at(&mut buf, 0).unwrap(), 4);
    assert_eq!(fs.operations() - before, 4);
    assert_eq!(fs.read(path("/x")).unwrap(), b"Abcdefgh12");
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let fs = settled("/x", b"old");
    let file = fs.open(path("/x"), writable()).unwrap();
    file.write_at(b"new", 0).unwrap();
    fs.fail_at(1, Fault::Io);
    file.sync_data().unwrap_err();
    file.sync_data().unwrap();
    assert_eq!(fs.read(path("/x")).unwrap(), b"new");
    assert!(outcomes(&fs, "/x").contains(&Some(b"old".to_vec())));
}

#[test]
fn nothing_changes_after_the_end() {
    // A file replaced, stopped at every operation: it is the old one or the new one.
    let mut ends = 0;
    for n in 1.. {
        let fs = settled("/x", b"old");
        fs.fail_at(n, Fault::Freeze);
        let replaced = fs.replace(path("/x"), b"brand new", 0);
        let frozen = fs.kill().files();
        assert!(fs.write(path("/y"), b"", 0).is_err() || replaced.is_ok());
        for seed in 0..40 {
            let found = fs.crash(seed).read(path("/x")).unwrap();
            assert!(found == b"old" || found == b"brand new", "{n} {seed} {found:?}");
            assert!(replaced.is_err() || found == b"brand new", "{n} {seed} {found:?}");
        }
        if replaced.is_ok() {
            break;
        }
        assert_eq!(fs.kill().files(), frozen);
        ends += 1;
    }
    assert_eq!(ends, 5, "open, write, sync, rename, sync of the directory");
}

#[test]
fn a_plain_write_is_not_safe() {
    // The test above can fail: without care the file is empty or torn at some point.
    let fs = settled("/x", b"old");
    fs.write(path("/x"), b"brand new", 0).unwrap();
    let found = outcomes(&fs, "/x");
    assert!(found.contains(&Some(Vec::new())));
    let torn = |found: &[u8]| !found.is_empty() && b"brand ne".starts_with(found);
    assert!(found.iter().flatten().any(|found| torn(found)));
}

#[test]
fn the_medium_rots() {
    let fs = settled("/x", b"abc");
    fs.flip_bit(path("/x"), 8).unwrap();
    assert_eq!(fs.crash(1).read(path("/x")).unwrap(), b"acc");
    assert!(fs.flip_bit(path("/x"), 24).is_err());
    fs.truncate(path("/x"), 1).unwrap();
    assert_eq!(outcomes(&fs, "/x"), BTreeSet::from([Some(b"a".to_vec())]));
}

#[test]
fn the_same_seed_finds_the_same() {
    let fs = settled("/x", &[1; 4096]);
    let file = fs.open(path("/x"), writable()).unwrap();
    file.write_at(&[2; 3000], 7).unwrap();
    fs.write(path("/y"), b"y", 0).unwrap();
    for seed in 0..20 {
        assert_eq!(fs.crash(seed).files(), fs.crash(seed).files());
    }
    assert!((1..20).any(|seed| fs.crash(seed).files() != fs.crash(0).files()));
}

#[test]
fn disks_that_hold_the_same() {
    let fs = CrashFs::default();
    let path = Path::new("/a");
    fs.write(path, b"x", 0).unwrap();
    let before = fs.kill();
    assert_eq!(fs.read(path).unwrap(), b"x");
    assert!(fs.holds_the_same(&before) && fs.holds_the_same(&fs));
    let file = fs.open(path, OpenMode { write: true, ..OpenMode::default() }).unwrap();
    assert!(fs.holds_the_same(&before));
    file.sync_data().unwrap();
    assert!(!fs.holds_the_same(&before), "the content is durable now");
    let before = fs.kill();
    fs.sync_dir(Path::new("/")).unwrap();
    assert!(!fs.holds_the_same(&before), "the name is durable now");
}

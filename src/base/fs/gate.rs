//! A limit on how many operations of a disk go on at the same time. Each of them blocks a thread of
//! the system; without a limit a slow disk under many streams takes all the threads there may be.
//!
//! Go: `server/dios.go`.

use super::{File, Fs, Metadata, OpenMode};
use crate::base::Clock;
use crate::base::lock::{Mutex, Rank};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

/// Operations at the same time when nothing is configured, whatever the number of cores: what a
/// disk does at once has nothing to do with them.
pub const OPERATIONS_DEFAULT: usize = 4096;
/// The fewest that may be configured.
pub const OPERATIONS_MIN: usize = 4;
/// The most that may be configured.
pub const OPERATIONS_MAX: usize = 8192;

/// Lets so many in at a time; who waits is let in first come, first served. Clones are the same
/// gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: VecDeque<Arc<Waiter>>,
    stats: GateStats,
}

#[derive(Debug)]
struct Waiter {
    thread: Thread,
    admitted: AtomicBool,
}

/// How much was waited at a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateStats {
    /// How many wait now.
    pub waiting: usize,
    /// How many had to wait, since it was made.
    pub waits: u64,
    /// How long all of them waited.
    pub waited: Duration,
    /// The longest wait.
    pub longest: Duration,
}

/// A place inside, until it is dropped.
#[derive(Debug)]
pub struct Pass<'a>(&'a Shared);

impl Gate {
    /// A gate for `size` at a time; what is out of range becomes the nearest that may be.
    pub fn new(size: usize, clock: &Clock) -> Self {
        let size = size.clamp(OPERATIONS_MIN, OPERATIONS_MAX);
        let state = State { free: size, waiting: VecDeque::new(), stats: GateStats::default() };
        let state = Mutex::new(Rank::Disk, state);
        Self(Arc::new(Shared { clock: clock.clone(), size, state }))
    }

    /// How many may be inside.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// How much was waited.
    pub fn stats(&self) -> GateStats {
        let state = self.0.state.lock();
        GateStats { waiting: state.waiting.len(), ..state.stats }
    }

    /// Goes in, after those who came before; blocks the thread until then.
    pub fn enter(&self) -> Pass<'_> {
        let mut state = self.0.state.lock();
        if state.free > 0 {
            // Nobody waits while a place is free.
            state.free -= 1;
            return Pass(&self.0);
        }
        let waiter = Waiter { thread: thread::current(), admitted: AtomicBool::new(false) };
        let waiter = Arc::new(waiter);
        state.waiting.push_back(Arc::clone(&waiter));
        drop(state);
        let start = self.0.clock.now();
        while !waiter.admitted.load(Ordering::Acquire) {
            thread::park();
        }
        let waited = self.0.clock.now().since(start);
        let stats = &mut self.0.state.lock().stats;
        stats.waits += 1;
        stats.waited += waited;
        stats.longest = stats.longest.max(waited);
        Pass(&self.0)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        match state.waiting.pop_front() {
            Some(next) => {
                drop(state);
                next.admitted.store(true, Ordering::Release);
                next.thread.unpark();
            }
            None => state.free += 1,
        }
    }
}

/// A file system each of whose operations passes a gate.
#[derive(Clone, Debug)]
pub struct GatedFs {
    fs: Arc<dyn Fs>,
    gate: Gate,
}

impl GatedFs {
    /// `fs` behind `gate`.
    pub fn new(fs: Arc<dyn Fs>, gate: Gate) -> Self {
        Self { fs, gate }
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Box<dyn File>,
    gate: Gate,
}

macro_rules! gated {
    ($inner:ident { $($name:ident($($arg:ident: $kind:ty),*) -> $result:ty;)* }) => {
        $(fn $name(&self, $($arg: $kind),*) -> io::Result<$result> {
            let _pass = self.gate.enter();
            self.$inner.$name($($arg),*)
        })*
    };
}

impl File for GatedFile {
    gated!(file {
        read_at(buf: &mut [u8], offset: u64) -> usize;
        write_at(buf: &[u8], offset: u64) -> ();
        append(buf: &[u8]) -> ();
        append_vectored(parts: &[&[u8]]) -> ();
        len() -> u64;
        set_len(len: u64) -> ();
        sync_data() -> ();
        sync_all() -> ();
    });
}

impl Fs for GatedFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let _pass = self.gate.enter();
        let file = self.fs.open(path, mode)?;
        Ok(Box::new(GatedFile { file, gate: self.gate.clone() }))
    }

    gated!(fs {
        metadata(path: &Path) -> Metadata;
        read_dir(path: &Path) -> Vec<PathBuf>;
        create_dir_all(path: &Path) -> ();
        rename(from: &Path, to: &Path) -> ();
        remove_file(path: &Path) -> ();
        remove_dir(path: &Path) -> ();
        remove_dir_all(path: &Path) -> ();
        sync_dir(path: &Path) -> ();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::MemFs;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    fn gate(size: usize) -> Gate {
        Gate::new(size, &Clock::os())
    }

    /// Waits until `n` threads wait at the gate.
    fn await_waiting(gate: &Gate, n: usize) {
        while gate.stats().waiting < n {
            thread::yield_now();
        }
    }

    #[test]
    fn sizes_are_within_their_range() {
        let sizes = [0, 3, 4, 100, 8192, 8193, usize::MAX].map(|size| gate(size).size());
        assert_eq!(sizes, [4, 4, 4, 100, 8192, 8192, 8192]);
    }

    #[test]
    fn who_comes_first_goes_in_first() {
        let gate = gate(OPERATIONS_MIN);
        let passes: Vec<_> = (0..OPERATIONS_MIN).map(|_| gate.enter()).collect();
        assert_eq!(gate.stats(), GateStats::default());
        let (entered, order) = mpsc::channel();
        thread::scope(|scope| {
            for n in 0..20 {
                let (gate, entered) = (&gate, entered.clone());
                scope.spawn(move || {
                    let pass = gate.enter();
                    entered.send(n).unwrap();
                    drop(pass);
                });
                await_waiting(gate, n + 1);
            }
            // One place: each lets the next one in.
            let mut passes = passes;
            drop(passes.pop());
            let found: Vec<usize> = order.iter().take(20).collect();
            assert!(found.into_iter().eq(0..20));
            drop(passes);
        });
        let stats = gate.stats();
        assert_eq!((stats.waits, stats.waiting), (20, 0));
        assert!(stats.longest <= stats.waited && stats.waited <= stats.longest * 20);
        // All places are free again.
        drop((0..OPERATIONS_MIN).map(|_| gate.enter()).collect::<Vec<_>>());
        assert_eq!(gate.stats().waits, 20);
    }

    #[test]
    fn never_more_than_its_size_are_inside() {
        let gate = gate(5);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _pass = gate.enter();
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 5);
        assert_eq!(gate.stats().waiting, 0);
    }

    #[test]
    fn every_operation_passes() {
        let gate = gate(OPERATIONS_MIN);
        let fs = GatedFs::new(Arc::new(MemFs::default()), gate.clone());
        let dir = Path::new("/d");
        fs.create_dir_all(dir).unwrap();
        let path = dir.join("f");
        fs.replace(&path, b"content", 0).unwrap();
        let (from, to) = (dir.join("from"), dir.join("to"));
        fs.write(&from, b"moved", 0).unwrap();
        let file = fs.open(&path, OpenMode { write: true, ..OpenMode::default() }).unwrap();
        let passes: Vec<_> = (0..OPERATIONS_MIN).map(|_| gate.enter()).collect();
        let operations: [&(dyn Fn() + Sync); 8] = [
            &|| assert!(!fs.metadata(&path).unwrap().is_dir),
            &|| drop(fs.read_dir(dir).unwrap()),
            &|| drop(fs.read(&path).unwrap()),
            &|| fs.sync_dir(dir).unwrap(),
            &|| file.sync_data().unwrap(),
            &|| assert_eq!(file.len().unwrap(), 7),
            &|| file.write_at(b"C", 0).unwrap(),
            &|| fs.rename(&from, &to).unwrap(),
        ];
        thread::scope(|scope| {
            let mut passes = passes;
            for (n, operation) in (1..).zip(operations) {
                scope.spawn(operation);
                await_waiting(&gate, n);
            }
            passes.clear();
        });
        assert!(gate.stats().waits >= 8);
        assert_eq!(fs.read(&path).unwrap(), b"Content");
        assert_eq!(fs.read(&to).unwrap(), b"moved");
    }
}

//! Reads what a server costs from the kernel's books.

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::Result;
use crate::sample::{Cpu, Sample};

/// The CPU account of a process at one moment.
pub struct Account {
    user_ticks: u64,
    system_ticks: u64,
    /// Nanoseconds on a CPU, by thread.
    threads: HashMap<u32, u64>,
}

impl Account {
    /// That of a process that has not begun.
    pub fn zero() -> Account {
        Account { user_ticks: 0, system_ticks: 0, threads: HashMap::new() }
    }

    /// Reads the account of `pid`.
    pub fn read(pid: u32) -> Result<Account> {
        let stat = read(&format!("/proc/{pid}/stat"))?;
        // The command's name may hold spaces and parentheses; the fields count from its end.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse().ok()).unwrap_or(0);
        let mut threads = HashMap::new();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|e| e.to_string())?;
        for task in tasks.flatten() {
            let id = task.file_name().to_string_lossy().parse().unwrap_or(0);
            let spent = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let spent = spent.split_ascii_whitespace().next().and_then(|n| n.parse().ok());
            threads.insert(id, spent.unwrap_or(0));
        }
        Ok(Account { user_ticks: ticks(11), system_ticks: ticks(12), threads })
    }

    /// What was spent since `earlier`: the total to the nanosecond from the scheduler, split in
    /// the proportion of the sampled user and system ticks.
    pub fn since(&self, earlier: &Account) -> Cpu {
        let user = (self.user_ticks - earlier.user_ticks) as f64;
        let system = (self.system_ticks - earlier.system_ticks) as f64;
        let ended = earlier.threads.keys().any(|id| !self.threads.contains_key(id));
        let total = if ended {
            // The scheduler's line of a thread goes with it; the ticks of the process stay.
            (user + system) / rustix::param::clock_ticks_per_second() as f64
        } else {
            let before = |id: &u32| earlier.threads.get(id).copied().unwrap_or(0);
            let spent = |(id, now): (&u32, &u64)| now.saturating_sub(before(id));
            self.threads.iter().map(spent).sum::<u64>() as f64 / 1e9
        };
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        Cpu { user: total * share, system: total * (1.0 - share), total }
    }
}

/// Resident memory of a process, now and at its greatest, in bytes.
pub struct Memory {
    pub now: u64,
    pub peak: u64,
}

impl Memory {
    /// Reads the memory of `pid`.
    pub fn read(pid: u32) -> Result<Memory> {
        let status = read(&format!("/proc/{pid}/status"))?;
        let kilobytes = |key: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
            number.unwrap_or(0)
        };
        Ok(Memory { now: kilobytes("VmRSS:") * 1024, peak: kilobytes("VmHWM:") * 1024 })
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("{path}: {e} (has the server ended?)"))
}

/// How long a load runs before the measured window opens.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long system calls are counted, after the window has closed.
const COUNTING: &str = "0.4";

/// Measures a running load for `seconds`, its progress read from `counter` and `open` set while
/// the window is open; then, if asked, counts system calls for a moment more, apart, so that the
/// counting costs the window nothing.
pub fn window(
    pid: u32,
    row: &'static str,
    seconds: f64,
    syscalls: bool,
    open: &AtomicBool,
    counter: impl Fn() -> u64,
) -> Result<Sample> {
    std::thread::sleep(WARM_UP);
    let (start, account, count) = (Instant::now(), Account::read(pid)?, counter());
    open.store(true, SeqCst);
    std::thread::sleep(Duration::from_secs_f64(seconds));
    open.store(false, SeqCst);
    let messages = (counter() - count) as f64;
    let cpu = Account::read(pid)?.since(&account);
    let seconds = start.elapsed().as_secs_f64();
    if messages == 0.0 {
        return Err(format!("no message passed in {seconds:.1} s"));
    }
    let rate = if syscalls { syscalls_per_cpu_second(pid) } else { None };
    Ok(Sample {
        row,
        messages,
        seconds,
        cpu,
        syscalls: rate.map(|rate| rate * cpu.total / messages),
        rss_peak_bytes: Memory::read(pid)?.peak,
        ..Sample::default()
    })
}

/// System calls per second that the server is on a CPU, if `perf` may count them here.
fn syscalls_per_cpu_second(pid: u32) -> Option<f64> {
    let output = Command::new("perf")
        .args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", &pid.to_string()])
        .args(["--", "sleep", COUNTING])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // count,unit,event,nanoseconds the counter ran (that is: the threads ran),...
    let fields: Vec<&str> = text.lines().last()?.split(',').collect();
    let calls: f64 = fields.first()?.parse().ok()?;
    let nanoseconds: f64 = fields.get(3)?.parse().ok()?;
    (nanoseconds > 0.0).then(|| calls / nanoseconds * 1e9)
}

//! Memory, CPU and cores of this process, as the kernel tells them.

use crate::base::{Env, Mono};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often CPU time is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// The kernel's unit of CPU time, per second.
const TICKS: u64 = 100;

/// The share of a core that was used lately.
#[derive(Debug, Default)]
pub struct Usage {
    /// In tenths of a percent.
    cpu: AtomicU64,
}

impl Usage {
    /// Percent of one core in the last second.
    pub fn cpu_percent(&self) -> f64 {
        self.cpu.load(Ordering::Relaxed) as f64 / 10.0
    }

    /// Keeps the figure current; ends where the system does not tell.
    pub async fn watch(&self, env: &Env) {
        let clock = env.clock();
        let mut last = (Mono::default(), 0);
        while let Some(ticks) = cpu_ticks(env) {
            let now = clock.now();
            let seconds = now.since(last.0).as_secs_f64();
            if seconds > 0.0 {
                let used = ticks.saturating_sub(last.1) as f64 / TICKS as f64;
                self.cpu.store((used * 1000.0 / seconds) as u64, Ordering::Relaxed);
            }
            last = (now, ticks);
            clock.sleep(INTERVAL).await;
        }
    }
}

fn cpu_ticks(env: &Env) -> Option<u64> {
    let stat = env.fs().read_to_string(Path::new("/proc/self/stat")).ok()?;
    // The name in the second field may hold anything, also spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Memory in use and cores this process may run on; zero where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Bytes.
    pub memory: u64,
    pub cores: usize,
}

impl Resources {
    /// As they are now.
    pub fn of(env: &Env) -> Self {
        let status = env.fs().read_to_string(Path::new("/proc/self/status"));
        status.map(|status| Self::parse(&status)).unwrap_or_default()
    }

    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim()
        };
        let kilobytes = field("VmRSS:").split(' ').next().unwrap_or_default();
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            (last + 1).checked_sub(first)
        };
        Self {
            memory: kilobytes.parse().unwrap_or(0) * 1024,
            cores: field("Cpus_allowed_list:").split(',').filter_map(range).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes() {
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nCpus_allowed_list:\t0-1,4\n";
        assert_eq!(Resources::parse(status), Resources { memory: 2 << 20, cores: 3 });
        assert_eq!(Resources::parse("VmRSS: x\n"), Resources::default());
    }
}

//! [`Env`]: everything a server may know about the outside.

use super::fs::{Fs, MemFs, OsFs};
use super::lock::{Mutex, Rank};
use super::net::Net;
use super::{Clock, Rng};
use std::collections::BTreeMap;
use std::io::Write;

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Clock, randomness, file system, network and process facts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Env(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    fs: Arc<dyn Fs>,
    net: Net,
    seeds: Mutex<Rng>,
    /// `None`: the machine's own environment and entropy.
    simulated: Option<Simulated>,
}

#[derive(Debug)]
struct Simulated {
    vars: BTreeMap<String, String>,
    /// Nothing if it is another's.
    fs: Option<MemFs>,
}

impl Env {
    /// The machine as it is.
    pub fn os() -> Self {
        let mut seed = [0; 8];
        os_entropy(&mut seed);
        Self(Arc::new(Inner {
            clock: Clock::os(),
            fs: Arc::new(OsFs),
            net: Net::os(),
            seeds: Mutex::new(Rank::Leaf, Rng::from_seed(u64::from_le_bytes(seed))),
            simulated: None,
        }))
    }

    /// A machine in memory that depends on `seed` alone; make it on the runtime it will run on.
    pub fn simulated(seed: u64) -> Self {
        Self::simulated_with_vars(seed, BTreeMap::new())
    }

    /// As [`Env::simulated`], with environment variables.
    pub fn simulated_with_vars(seed: u64, vars: BTreeMap<String, String>) -> Self {
        let fs = MemFs::default();
        Self::simulation(seed, Arc::new(fs.clone()), Simulated { vars, fs: Some(fs) })
    }

    /// As [`Env::simulated`], with a file system that is made elsewhere.
    pub fn simulated_on(seed: u64, fs: Arc<dyn Fs>) -> Self {
        Self::simulation(seed, fs, Simulated { vars: BTreeMap::new(), fs: None })
    }

    fn simulation(seed: u64, fs: Arc<dyn Fs>, simulated: Simulated) -> Self {
        Self(Arc::new(Inner {
            clock: Clock::simulated(),
            fs,
            net: Net::mem(),
            seeds: Mutex::new(Rank::Leaf, Rng::from_seed(seed)),
            simulated: Some(simulated),
        }))
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The file system.
    pub fn fs(&self) -> &dyn Fs {
        &*self.0.fs
    }

    /// The network.
    pub fn net(&self) -> &Net {
        &self.0.net
    }

    /// The in-memory file system of a simulated machine, if it has its own.
    pub fn mem_fs(&self) -> Option<&MemFs> {
        self.0.simulated.as_ref()?.fs.as_ref()
    }

    /// A new generator, seeded from this machine's seed.
    pub fn rng(&self) -> Rng {
        Rng::from_seed(self.0.seeds.lock().next_u64())
    }

    /// Bytes fit for secrets (from the seed on a simulated machine).
    pub fn entropy(&self, buf: &mut [u8]) {
        match self.0.simulated {
            Some(_) => self.0.seeds.lock().fill(buf),
            None => os_entropy(buf),
        }
    }

    /// An environment variable.
    pub fn var(&self, name: &str) -> Option<String> {
        match &self.0.simulated {
            Some(s) => s.vars.get(name).cloned(),
            None => std::env::var(name).ok(),
        }
    }

    /// A path from the root, as this process would find it; `.` and `..` are taken out.
    ///
    /// # Errors
    ///
    /// When the path is empty, or the current folder is gone.
    pub fn absolute(&self, path: &str) -> std::io::Result<PathBuf> {
        let absolute = match self.0.simulated {
            Some(_) => Path::new("/").join(path),
            None => std::path::absolute(path)?,
        };
        let mut clean = PathBuf::new();
        for part in absolute.components() {
            match part {
                Component::ParentDir => {
                    clean.pop();
                }
                Component::CurDir => {}
                part => clean.push(part),
            }
        }
        Ok(clean)
    }

    /// This process.
    pub fn pid(&self) -> u32 {
        if self.0.simulated.is_some() { 1 } else { std::process::id() }
    }

    /// How this process was called (`argv[0]`).
    pub fn program(&self) -> String {
        let called = match self.0.simulated {
            Some(_) => None,
            None => std::env::args_os().next().map(|a| a.to_string_lossy().into_owned()),
        };
        called.unwrap_or_else(|| "nats-server".to_owned())
    }

    /// Writes all of `bytes` to standard error; a simulated machine has none and drops them.
    pub fn write_stderr(&self, bytes: &[u8]) -> std::io::Result<()> {
        match self.0.simulated {
            Some(_) => Ok(()),
            None => std::io::stderr().lock().write_all(bytes),
        }
    }

    /// Prints to standard output; a closed one is nobody's loss.
    pub fn print(&self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Prints to standard error.
    pub fn print_error(&self, text: &str) {
        let _ = self.write_stderr(text.as_bytes());
    }

    /// The addresses of this machine, those of links that are down left out.
    pub fn addresses(&self) -> Vec<IpAddr> {
        if self.0.simulated.is_some() {
            return vec![IpAddr::from([127, 0, 0, 1])];
        }
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        interfaces.iter().filter(|i| i.is_oper_up()).map(if_addrs::Interface::ip).collect()
    }

    /// Other processes of this name, as `pgrep` finds them. An error when there is no `pgrep`, or
    /// it says something that is no process id.
    pub fn processes(&self, name: &str) -> std::io::Result<Vec<i32>> {
        let found = std::process::Command::new("pgrep").arg(name).output()?;
        let own = i32::try_from(self.pid()).unwrap_or(0);
        let output = String::from_utf8_lossy(&found.stdout);
        let pids = output.split('\n').filter(|line| !line.is_empty()).map(str::parse);
        let mut pids: Vec<i32> = pids.collect::<Result<_, _>>().map_err(std::io::Error::other)?;
        pids.retain(|pid| *pid != own);
        Ok(pids)
    }

    /// Sends a signal as `kill(2)` does: 0 is this process's group, below 0 another group.
    pub fn kill(&self, pid: i32, signal: rustix::process::Signal) -> std::io::Result<()> {
        use rustix::process::{Pid, kill_current_process_group, kill_process, kill_process_group};
        let Some(target) = Pid::from_raw(pid.saturating_abs()) else {
            return Ok(kill_current_process_group(signal)?);
        };
        let sent =
            if pid < 0 { kill_process_group(target, signal) } else { kill_process(target, signal) };
        Ok(sent?)
    }

    /// Whether standard error is a terminal.
    pub fn stderr_is_terminal(&self) -> bool {
        self.0.simulated.is_none() && rustix::termios::isatty(std::io::stderr())
    }

    /// The machine's name.
    pub fn hostname(&self) -> String {
        match self.0.simulated {
            Some(_) => "simulated".to_owned(),
            None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }
}

fn os_entropy(buf: &mut [u8]) {
    let mut filled = 0;
    while filled < buf.len() {
        match rustix::rand::getrandom(&mut buf[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => panic!("the kernel gave no entropy: {e}"),
        }
    }
}

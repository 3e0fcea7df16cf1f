//! Upstream's server with a store: filled over its API, stopped, killed and started again.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Cost, Load, Watch};
use crate::Result;
use crate::conn::{Conn, Target};
use crate::server::free_address;

/// The stream's name.
pub const STREAM: &str = "STORE";
/// Messages of a filling that wait for their acknowledgement at most.
const IN_FLIGHT: u64 = 1000;

/// A running server; dropping it kills the process.
pub struct Upstream {
    child: Child,
    target: Target,
    watch: Watch,
}

impl Upstream {
    /// Starts it on a store directory, and waits until it serves.
    pub fn start(binary: &Path, store: &Path) -> Result<Self> {
        Self::start_with(binary, store, "2m")
    }

    /// As [`Upstream::start`], with a sync before every acknowledgement.
    pub fn start_always(binary: &Path, store: &Path) -> Result<Self> {
        Self::start_with(binary, store, "always")
    }

    fn start_with(binary: &Path, store: &Path, sync_interval: &str) -> Result<Self> {
        std::fs::create_dir_all(store).map_err(|e| e.to_string())?;
        let address = free_address()?;
        let log = File::create(store.join("log")).map_err(|e| e.to_string())?;
        let config = store.join("server.conf");
        let text = format!(
            "listen: \"{address}\"\njetstream {{ store_dir: {store:?}, sync_interval: {sync_interval} }}\n"
        );
        std::fs::write(&config, text).map_err(|e| e.to_string())?;
        let begun = Instant::now();
        let child = Command::new(binary)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("starting {}: {e}", binary.display()))?;
        let target = Target { address, login: None, tls: None };
        let watch = Watch::started(child.id(), begun);
        let mut server = Self { child, target, watch };
        // It accepts connections when its streams are recovered.
        while std::net::TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait().map_err(|e| e.to_string())?;
            if ended.is_some() || begun.elapsed() > Duration::from_secs(300) {
                return Err("upstream's server does not start".into());
            }
            sleep(Duration::from_millis(2));
        }
        Ok(server)
    }

    /// What starting it cost, and what it has.
    pub fn opened(&mut self) -> Result<Cost> {
        let cost = self.watch.read(0, 0)?;
        let info = self.request(&format!("$JS.API.STREAM.INFO.{STREAM}"), "")?;
        let count = |key: &str| info["state"][key].as_u64().unwrap_or(0);
        Ok(Cost { messages: count("messages"), subjects: count("num_subjects"), ..cost })
    }

    /// Makes the stream and publishes the load, acknowledged; what that costs.
    pub fn fill(&mut self, load: Load) -> Result<Cost> {
        self.create_stream()?;
        let watch = Watch::running(self.child.id())?;
        self.publish(load, IN_FLIGHT, |acknowledged| acknowledged >= load.messages)?;
        let cost = watch.read(0, 0)?;
        let have = self.opened()?;
        Ok(Cost { messages: have.messages, subjects: have.subjects, ..cost })
    }

    /// Makes the stream and publishes small messages for a while; what that costs.
    pub fn fill_for(&mut self, in_flight: usize, seconds: f64) -> Result<Cost> {
        self.create_stream()?;
        let load = Load { messages: u64::MAX, subjects: 1, size: 128 };
        let watch = Watch::running(self.child.id())?;
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        let count = self.publish(load, in_flight as u64, |_| Instant::now() >= until)?;
        watch.read(count, 1)
    }

    fn create_stream(&mut self) -> Result<()> {
        let config =
            serde_json::json!({ "name": STREAM, "subjects": ["orders.*"], "storage": "file" });
        self.request(&format!("$JS.API.STREAM.CREATE.{STREAM}"), &config.to_string()).map(drop)
    }

    /// Publishes until enough is acknowledged; how many are.
    fn publish(&self, load: Load, in_flight: u64, is_enough: impl Fn(u64) -> bool) -> Result<u64> {
        let mut conn = self.target.connect()?;
        conn.send(b"SUB acks.* 1\r\n")?;
        conn.sync()?;
        let payload = "x".repeat(load.size);
        let (mut sent, mut acknowledged, mut lines) = (0, 0, 0);
        let (mut out, mut piece) = (Vec::new(), vec![0; 256 * 1024]);
        while !is_enough(acknowledged) {
            out.clear();
            while sent < load.messages && sent - acknowledged < in_flight {
                out.extend_from_slice(b"PUB ");
                out.extend_from_slice(&load.subject(sent));
                let rest = format!(" acks.{} {}\r\n", sent % 10, load.size);
                out.extend_from_slice(rest.as_bytes());
                out.extend_from_slice(payload.as_bytes());
                out.extend_from_slice(b"\r\n");
                sent += 1;
            }
            if !out.is_empty() {
                conn.send(&out)?;
            }
            let count = read_some(&mut conn, &mut piece)?;
            if memchr::memmem::find(&piece[..count], b"\"error\"").is_some() {
                return Err(format!("not stored: {}", piece[..count].escape_ascii()));
            }
            // An acknowledgement is two lines.
            lines += memchr::memchr_iter(b'\n', &piece[..count]).count() as u64;
            acknowledged = lines / 2;
        }
        Ok(acknowledged)
    }

    fn request(&mut self, subject: &str, body: &str) -> Result<Value> {
        let mut conn = self.target.connect()?;
        conn.send(b"SUB answer 1\r\n")?;
        conn.sync()?;
        conn.send(format!("PUB {subject} answer {}\r\n{body}\r\n", body.len()).as_bytes())?;
        let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
        while memchr::memchr_iter(b'\n', &seen).count() < 2 {
            let count = read_some(&mut conn, &mut piece)?;
            seen.extend_from_slice(&piece[..count]);
        }
        let line = seen.split(|byte| *byte == b'\n').nth(1).unwrap_or_default();
        let answer: Value = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        match answer.get("error") {
            Some(error) => Err(format!("{subject}: {error}")),
            None => Ok(answer),
        }
    }

    /// Ends it as an operator does.
    pub fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("no process")?, Signal::TERM).map_err(|e| e.to_string())?;
        self.child.wait().map(drop).map_err(|e| e.to_string())
    }

    /// Ends it as a crash does.
    pub fn kill(self) {}
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended by itself.
        let _ = self.child.wait();
    }
}

fn read_some(conn: &mut Conn, piece: &mut [u8]) -> Result<usize> {
    match conn.read(piece) {
        Ok(0) => Err("the server has closed the connection".into()),
        Ok(count) => Ok(count),
        Err(e) => Err(format!("reading from the server: {e}")),
    }
}

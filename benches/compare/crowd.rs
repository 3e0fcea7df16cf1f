//! Many connections, and many subscriptions, that do nothing.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::Result;
use crate::conn::{Conn, Target};
use crate::measure::{Account, Memory};
use crate::sample::Sample;
use crate::server::Server;

/// Threads that connect at the same time when there is a crowd to connect.
const CONNECTORS: usize = 8;
/// Connections that share the subscriptions.
const SUBSCRIBERS: usize = 10;
/// How long memory is left to settle before it is read.
const SETTLE: Duration = Duration::from_millis(500);

/// Opens `count` connections.
pub fn connect(target: &Target, count: usize) -> Result<Vec<Conn>> {
    let connectors = if count < 100 { 1 } else { CONNECTORS };
    let share = |of: usize| count / connectors + usize::from(of < count % connectors);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connectors)
            .map(|of| {
                scope.spawn(move || (0..share(of)).map(|_| target.connect()).collect::<Result<_>>())
            })
            .collect();
        let mut conns = Vec::with_capacity(count);
        for thread in threads {
            let some: Vec<Conn> = thread.join().map_err(|_| "a connector panicked")??;
            conns.extend(some);
        }
        Ok(conns)
    })
}

/// Connects `count` idle clients: the time and CPU that takes, the memory each costs.
pub fn idle(server: &Server, row: &'static str, count: usize) -> Result<Vec<Sample>> {
    let before = Memory::read(server.pid())?.now;
    let (start, account) = (Instant::now(), Account::read(server.pid())?);
    let mut conns = connect(&server.target, count)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = Account::read(server.pid())?.since(&account);
    sleep(SETTLE);
    let memory = Memory::read(server.pid())?;
    for conn in &mut conns {
        conn.sync()?; // All of them are alive and served.
    }
    let added = memory.now.saturating_sub(before) as f64;
    Ok(vec![Sample {
        row,
        messages: count as f64,
        seconds,
        cpu,
        rss_peak_bytes: memory.peak,
        bytes_each: Some(added / count as f64),
        ..Sample::default()
    }])
}

/// Adds `count` subscriptions to distinct subjects, then removes them.
pub fn subscriptions(
    server: &Server,
    rows: [&'static str; 2],
    count: usize,
) -> Result<Vec<Sample>> {
    let mut conns = connect(&server.target, SUBSCRIBERS)?;
    let before = Memory::read(server.pid())?.now;
    let subject = |n: usize| format!("orders.{:03}.{:03}", n % 1000, n / 1000);
    let mut add = stage(server, rows[0], count, &mut conns, |n| {
        format!("SUB {} {}\r\n", subject(n), n / SUBSCRIBERS + 1)
    })?;
    sleep(SETTLE);
    let memory = Memory::read(server.pid())?;
    add.bytes_each = Some(memory.now.saturating_sub(before) as f64 / count as f64);
    add.rss_peak_bytes = memory.peak;
    let remove = stage(server, rows[1], count, &mut conns, |n| {
        format!("UNSUB {}\r\n", n / SUBSCRIBERS + 1)
    })?;
    Ok(vec![add, remove])
}

/// Sends one line for each subscription, evenly over the connections, and awaits its effect.
fn stage(
    server: &Server,
    row: &'static str,
    count: usize,
    conns: &mut [Conn],
    line: impl Fn(usize) -> String,
) -> Result<Sample> {
    const PIECE: usize = 16 * 1024;
    let lines: Vec<Vec<u8>> = (0..conns.len())
        .map(|of| (of..count).step_by(SUBSCRIBERS).flat_map(|n| line(n).into_bytes()).collect())
        .collect();
    let (start, account) = (Instant::now(), Account::read(server.pid())?);
    let longest = lines.iter().map(Vec::len).max().unwrap_or(0);
    for piece in 0..longest.div_ceil(PIECE) {
        for (conn, lines) in conns.iter_mut().zip(&lines) {
            let rest = lines.get(piece * PIECE..).unwrap_or_default();
            conn.send(&rest[..rest.len().min(PIECE)])?;
        }
    }
    for conn in conns.iter_mut() {
        conn.sync()?;
    }
    Ok(Sample {
        row,
        messages: count as f64,
        seconds: start.elapsed().as_secs_f64(),
        cpu: Account::read(server.pid())?.since(&account),
        rss_peak_bytes: Memory::read(server.pid())?.peak,
        ..Sample::default()
    })
}

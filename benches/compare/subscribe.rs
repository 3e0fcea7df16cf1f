//! The receiving half of a flow: one thread reads all subscribers.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::epoll;

use crate::Result;
use crate::conn::Conn;
use crate::frames::{Inbox, TAG};
use crate::gauge::Gauge;

/// Room for one read. Large, so that the generator needs few system calls.
const READ: usize = 512 * 1024;
/// Room for the start of a frame whose rest is yet to come.
const CARRY: usize = 8192 + TAG;

/// A subscriber's connection and what it has received.
pub struct Subscriber {
    pub conn: Conn,
    pub inbox: Inbox,
}

/// What publishers and readers share.
pub struct Shared {
    /// One for each publisher.
    pub gauges: Vec<Gauge>,
    /// Publishers are to stop.
    pub stop: AtomicBool,
    /// Readers are to stop; what arrives then is too much.
    pub done: AtomicBool,
}

impl Shared {
    pub fn new(publishers: usize) -> Arc<Shared> {
        Arc::new(Shared {
            gauges: (0..publishers).map(|_| Gauge::default()).collect(),
            stop: AtomicBool::new(false),
            done: AtomicBool::new(false),
        })
    }

    /// All messages that have arrived.
    pub fn arrived(&self) -> u64 {
        self.gauges.iter().map(Gauge::arrived).sum()
    }
}

/// Starts the thread that reads all `subscribers`; it ends with the first error, or when done.
pub fn start(
    subscribers: Vec<Subscriber>,
    shared: Arc<Shared>,
) -> JoinHandle<Result<Vec<Subscriber>>> {
    std::thread::spawn(move || {
        let mut reader = Reader {
            buffer: vec![0; CARRY + READ],
            fresh: vec![0; shared.gauges.len()],
            subscribers,
            shared: shared.clone(),
        };
        let result = if reader.subscribers.len() == 1 { reader.one() } else { reader.many() };
        if result.is_err() {
            shared.stop.store(true, SeqCst);
        }
        result.map(|()| reader.subscribers)
    })
}

struct Reader {
    buffer: Vec<u8>,
    /// Messages of the current read, by publisher.
    fresh: Vec<u64>,
    subscribers: Vec<Subscriber>,
    shared: Arc<Shared>,
}

impl Reader {
    /// Blocks on the only subscriber: no epoll between it and the server.
    fn one(&mut self) -> Result<()> {
        self.subscribers[0].conn.set_read_timeout(Duration::from_millis(100))?;
        while !self.shared.done.load(SeqCst) {
            self.read(0)?;
        }
        Ok(())
    }

    fn many(&mut self) -> Result<()> {
        let say = |e: rustix::io::Errno| format!("epoll: {e}");
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(say)?;
        for (at, subscriber) in self.subscribers.iter().enumerate() {
            subscriber.conn.set_nonblocking()?;
            let data = epoll::EventData::new_u64(at as u64);
            epoll::add(&poll, &subscriber.conn, data, epoll::EventFlags::IN).map_err(say)?;
        }
        let mut events: Vec<epoll::Event> = Vec::with_capacity(1024);
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        while !self.shared.done.load(SeqCst) {
            events.clear();
            epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))
                .map_err(say)?;
            for event in &events {
                self.read(event.data.u64() as usize)?;
            }
        }
        Ok(())
    }

    /// One read from one subscriber.
    fn read(&mut self, at: usize) -> Result<()> {
        let Subscriber { conn, inbox } = &mut self.subscribers[at];
        let carried = inbox.carry.len();
        self.buffer[..carried].copy_from_slice(&inbox.carry);
        let count = match conn.read(&mut self.buffer[carried..carried + READ]) {
            Ok(0) => return Err("the server closed a subscriber's connection".into()),
            Ok(count) => count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(e) => return Err(format!("reading from the server: {e}")),
        };
        inbox.feed(&self.buffer[..carried + count], &mut self.fresh)?;
        if std::mem::take(&mut inbox.pinged) {
            conn.send(b"PONG\r\n")?;
        }
        for (fresh, gauge) in self.fresh.iter_mut().zip(&self.shared.gauges) {
            if *fresh > 0 {
                gauge.add(std::mem::take(fresh));
            }
        }
        Ok(())
    }
}

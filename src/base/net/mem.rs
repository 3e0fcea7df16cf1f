//! Streams within one process: bounded pipes with TCP's semantics and nothing random in them.

use crate::base::lock::{Mutex, Rank};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Bytes a direction of a pipe holds before writes would block.
const PIPE_CAPACITY: usize = 256 * 1024;
/// First port handed out when port 0 is asked for.
const FIRST_EPHEMERAL: u16 = 49152;

/// A network of listeners in memory. Clones are the same network.
#[derive(Clone, Debug)]
pub struct MemNet(Arc<Mutex<Ports>>);

#[derive(Debug)]
struct Ports {
    listeners: BTreeMap<u16, Arc<Mutex<Backlog>>>,
    next_port: u16,
}

#[derive(Debug, Default)]
struct Backlog {
    waiting: VecDeque<(MemStream, SocketAddr)>,
    waker: Option<Waker>,
    closed: bool,
}

impl Default for MemNet {
    fn default() -> Self {
        let ports = Ports { listeners: BTreeMap::new(), next_port: FIRST_EPHEMERAL };
        Self(Arc::new(Mutex::new(Rank::Logger, ports)))
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl MemNet {
    fn ephemeral(ports: &mut Ports) -> u16 {
        let port = ports.next_port;
        ports.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL);
        port
    }

    pub(super) fn listen(&self, port: u16) -> io::Result<MemListener> {
        let mut ports = self.0.lock();
        let port = if port == 0 { Self::ephemeral(&mut ports) } else { port };
        if ports.listeners.contains_key(&port) {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        let backlog = Arc::new(Mutex::new(Rank::Leaf, Backlog::default()));
        ports.listeners.insert(port, backlog.clone());
        Ok(MemListener { net: self.clone(), port, backlog })
    }

    pub(super) fn connect(&self, port: u16) -> io::Result<MemStream> {
        let mut ports = self.0.lock();
        let from = local(Self::ephemeral(&mut ports));
        let Some(backlog) = ports.listeners.get(&port).cloned() else {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        };
        drop(ports);
        let (there, back) = (Arc::new(Pipe::new()), Arc::new(Pipe::new()));
        let ours = MemStream { input: back.clone(), output: there.clone(), local: from };
        let theirs = MemStream { input: there, output: back, local: local(port) };
        let mut backlog = backlog.lock();
        if backlog.closed {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        }
        backlog.waiting.push_back((theirs, from));
        if let Some(waker) = backlog.waker.take() {
            waker.wake();
        }
        Ok(ours)
    }
}

/// Accepts in-memory connections on one port.
#[derive(Debug)]
pub struct MemListener {
    net: MemNet,
    port: u16,
    backlog: Arc<Mutex<Backlog>>,
}

impl MemListener {
    pub(super) async fn accept(&self) -> io::Result<(MemStream, SocketAddr)> {
        std::future::poll_fn(|cx| {
            let mut backlog = self.backlog.lock();
            match backlog.waiting.pop_front() {
                Some(next) => Poll::Ready(Ok(next)),
                None => {
                    backlog.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        local(self.port)
    }
}

impl Drop for MemListener {
    fn drop(&mut self) {
        self.net.0.lock().listeners.remove(&self.port);
        let refused = {
            let mut backlog = self.backlog.lock();
            backlog.closed = true;
            std::mem::take(&mut backlog.waiting)
        };
        drop(refused);
    }
}

#[derive(Debug)]
struct Pipe(Mutex<PipeState>);

#[derive(Debug, Default)]
struct PipeState {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new() -> Self {
        Self(Mutex::new(Rank::Leaf, PipeState::default()))
    }

    fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let (reader, writer) = (state.reader.take(), state.writer.take());
        drop(state);
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }
}

/// One end of an in-memory connection.
#[derive(Debug)]
pub struct MemStream {
    input: Arc<Pipe>,
    output: Arc<Pipe>,
    local: SocketAddr,
}

impl MemStream {
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.input.0.lock();
        if state.bytes.is_empty() {
            if state.closed || buf.is_empty() {
                return Poll::Ready(Ok(0));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = buf.len().min(state.bytes.len());
        for (slot, byte) in buf.iter_mut().zip(state.bytes.drain(..n)) {
            *slot = byte;
        }
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(buf)])
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.output.0.lock();
        if state.closed {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        let mut room = PIPE_CAPACITY.saturating_sub(state.bytes.len());
        let before = state.bytes.len();
        for buf in bufs {
            let n = buf.len().min(room);
            state.bytes.extend(&buf[..n]);
            room -= n;
        }
        let written = state.bytes.len() - before;
        if written == 0 && bufs.iter().any(|b| !b.is_empty()) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Ok(written)
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_writable(cx)).await
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.output.0.lock();
        if state.closed || state.bytes.len() < PIPE_CAPACITY {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn shutdown(&self) {
        self.input.close();
        self.output.close();
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for MemStream {
    fn drop(&mut self) {
        self.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Net;

    #[tokio::test]
    async fn bytes_cross_and_end_is_seen() {
        let net = Net::mem();
        let listener = net.listen("any", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = net.connect("any", port).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(server.read(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"ping");
        drop(client);
        assert_eq!(server.read(&mut buf).await.unwrap(), 0);
        drop(listener);
        assert!(net.connect("any", port).await.is_err());
    }
}

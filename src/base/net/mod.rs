//! The network: streams and listeners over TCP, or in memory with the same semantics.
//!
//! [`Stream`] is an enum, not a trait object, so the hot path has no dynamic call. Writes take
//! `&self`: a producer writes to another connection's socket from its own task.

mod mem;
mod outlet;
mod tcp;

pub use mem::MemNet;
pub use outlet::{Collector, Outlet};

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// Where streams come from.
#[derive(Clone, Debug)]
pub enum Net {
    /// The machine's network.
    Os,
    /// Pipes within this process.
    Mem(MemNet),
}

/// A connected byte stream.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(tcp::TcpStream),
    /// In memory.
    Mem(mem::MemStream),
}

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(tcp::TcpListener),
    /// In memory.
    Mem(mem::MemListener),
}

impl Net {
    /// The machine's network.
    pub fn os() -> Self {
        Self::Os
    }

    /// A network of its own, in memory.
    pub fn mem() -> Self {
        Self::Mem(MemNet::default())
    }

    /// Listens on `host:port`; port 0 picks a free one.
    pub async fn listen(&self, host: &str, port: u16) -> io::Result<Listener> {
        match self {
            Self::Os => Ok(Listener::Tcp(tcp::TcpListener::bind(host, port).await?)),
            Self::Mem(net) => Ok(Listener::Mem(net.listen(port)?)),
        }
    }

    /// Connects to `host:port`.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<Stream> {
        match self {
            Self::Os => Ok(Stream::Tcp(tcp::TcpStream::connect(host, port).await?)),
            Self::Mem(net) => Ok(Stream::Mem(net.connect(port)?)),
        }
    }
}

impl Net {
    /// Opens a blocking, one-way connection to a collector of log lines. There is none in memory.
    pub fn outlet(&self, to: &Collector) -> io::Result<Outlet> {
        match self {
            Self::Os => Outlet::connect(to),
            Self::Mem(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }
}

impl Listener {
    /// The next connection and where it comes from.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(l) => l.accept().await.map(|(s, a)| (Stream::Tcp(s), a)),
            Self::Mem(l) => l.accept().await.map(|(s, a)| (Stream::Mem(s), a)),
        }
    }

    /// The bound address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(l) => l.local_addr(),
            Self::Mem(l) => Ok(l.local_addr()),
        }
    }
}

impl Stream {
    /// Reads into `buf`; `Ready(Ok(0))` is the end of the stream.
    #[inline]
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(s) => s.poll_read(cx, buf),
            Self::Mem(s) => s.poll_read(cx, buf),
        }
    }

    /// Writes what fits now; `WouldBlock` when nothing does.
    #[inline]
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.try_write(buf),
            Self::Mem(s) => s.try_write(buf),
        }
    }

    /// Writes what fits now of several slices.
    #[inline]
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.try_write_vectored(bufs),
            Self::Mem(s) => s.try_write_vectored(bufs),
        }
    }

    /// Completes when a write may make progress.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.writable().await,
            Self::Mem(s) => s.writable().await,
        }
    }

    /// As [`Stream::writable`], for the one task that both reads and writes.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(s) => s.poll_writable(cx),
            Self::Mem(s) => s.poll_writable(cx),
        }
    }

    /// Completes with the number of bytes read; 0 is the end.
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Writes all of `buf`.
    pub async fn write_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.try_write(buf) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(n) => buf = &buf[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Ends both directions; the peer and our own reader see the end of the stream.
    pub fn shutdown(&self) {
        match self {
            Self::Tcp(s) => s.shutdown(),
            Self::Mem(s) => s.shutdown(),
        }
    }

    /// Our end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(s) => s.local_addr(),
            Self::Mem(s) => Ok(s.local_addr()),
        }
    }
}

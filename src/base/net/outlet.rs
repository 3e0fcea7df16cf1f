//! Blocking, one-way connections to a collector of log lines.
//!
//! Logging happens anywhere, also where nothing can be awaited, so these are ordinary sockets. A
//! write may wait for [`WRITE_LIMIT`] at most: a collector that stopped reading costs lines, not
//! the server.

use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

/// The longest that one line may hold its writer up.
const WRITE_LIMIT: Duration = Duration::from_millis(250);
/// The longest that connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Where lines are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collector {
    /// UDP, `host:port`.
    Udp(String),
    /// TCP, `host:port`.
    Tcp(String),
    /// A Unix datagram socket.
    UnixDatagram(PathBuf),
    /// A Unix stream socket.
    UnixStream(PathBuf),
}

/// A connection to a [`Collector`].
#[derive(Debug)]
pub enum Outlet {
    /// UDP.
    Udp(UdpSocket),
    /// TCP.
    Tcp(TcpStream),
    /// A Unix datagram socket.
    UnixDatagram(UnixDatagram),
    /// A Unix stream socket.
    UnixStream(UnixStream),
}

impl Outlet {
    pub(super) fn connect(to: &Collector) -> io::Result<Self> {
        match to {
            Collector::Udp(address) => each_address(address, |to| {
                let any = if to.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(to)?;
                Ok(Self::Udp(socket))
            }),
            Collector::Tcp(address) => each_address(address, |to| {
                let stream = TcpStream::connect_timeout(&to, CONNECT_LIMIT)?;
                stream.set_write_timeout(Some(WRITE_LIMIT))?;
                Ok(Self::Tcp(stream))
            }),
            Collector::UnixDatagram(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(WRITE_LIMIT))?;
                Ok(Self::UnixDatagram(socket))
            }
            Collector::UnixStream(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(WRITE_LIMIT))?;
                Ok(Self::UnixStream(stream))
            }
        }
    }

    /// Sends `line` whole. After an error the connection is of no further use.
    pub fn send(&self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(line).map(drop),
            Self::Tcp(stream) => (&mut &*stream).write_all(line),
            Self::UnixDatagram(socket) => socket.send(line).map(drop),
            Self::UnixStream(stream) => (&mut &*stream).write_all(line),
        }
    }
}

/// The first address of `host:port` that `connect` succeeds with, or the last error.
fn each_address(
    address: &str,
    mut connect: impl FnMut(std::net::SocketAddr) -> io::Result<Outlet>,
) -> io::Result<Outlet> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no such host");
    for to in std::net::ToSocketAddrs::to_socket_addrs(address)? {
        match connect(to) {
            Ok(outlet) => return Ok(outlet),
            Err(e) => last = e,
        }
    }
    Err(last)
}

//! A client's connection: plain or TLS, greeted and logged in.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::Result;

/// How long any single answer of a server may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Where and how to connect.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// User and password.
    pub login: Option<(String, String)>,
    pub tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// Connects, logs in and waits until the server has taken it.
    pub fn connect(&self) -> Result<Conn> {
        let say = |e: io::Error| format!("connecting to {}: {e}", self.address);
        let mut socket = TcpStream::connect(self.address).map_err(say)?;
        socket.set_nodelay(true).map_err(say)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(say)?;
        await_text(&mut socket, b"\r\n")?;
        let mut conn = match &self.tls {
            None => Conn::Plain(socket),
            Some(config) => {
                let name = self.address.ip().into();
                let session =
                    ClientConnection::new(config.clone(), name).map_err(|e| format!("TLS: {e}"))?;
                let socket = Buffered(BufReader::with_capacity(256 * 1024, socket));
                Conn::Tls(Box::new(StreamOwned::new(session, socket)))
            }
        };
        let mut options = serde_json::json!({
            "verbose": false, "pedantic": false, "lang": "compare", "version": "1", "protocol": 1,
            "headers": true, "no_responders": true,
        });
        if let Some((user, password)) = &self.login {
            options["user"] = user.as_str().into();
            options["pass"] = password.as_str().into();
        }
        conn.send(format!("CONNECT {options}\r\nPING\r\n").as_bytes())?;
        await_text(&mut conn, b"PONG\r\n")?;
        Ok(conn)
    }
}

/// A connection that is ready to publish and subscribe.
pub enum Conn {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, Buffered>>),
}

impl Conn {
    /// Writes all of `bytes`.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|e| format!("writing to the server: {e}"))?;
        self.flush().map_err(|e| format!("writing to the server: {e}"))
    }

    /// Waits until the server has processed all that was sent; nothing else may be on its way.
    pub fn sync(&mut self) -> Result<()> {
        self.send(b"PING\r\n")?;
        await_text(self, b"PONG\r\n")
    }

    pub fn set_read_timeout(&self, timeout: Duration) -> Result<()> {
        self.socket().set_read_timeout(Some(timeout)).map_err(|e| e.to_string())
    }

    pub fn set_nonblocking(&self) -> Result<()> {
        self.socket().set_nonblocking(true).map_err(|e| e.to_string())
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Conn::Plain(socket) => socket,
            Conn::Tls(tls) => tls.sock.0.get_ref(),
        }
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl Read for Conn {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Conn::Plain(socket) => socket.read(into),
            Conn::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Conn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Conn::Plain(socket) => socket.write(bytes),
            Conn::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Conn::Plain(socket) => socket.flush(),
            Conn::Tls(tls) => tls.flush(),
        }
    }
}

/// rustls asks for a few KiB at a time; this gets them from the kernel in large pieces.
pub struct Buffered(BufReader<TcpStream>);

impl Read for Buffered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

/// Reads until the server has said `text` and is at the end of a line (it may send INFO again at
/// any time); an `-ERR` is an error.
fn await_text(from: &mut impl Read, text: &[u8]) -> Result<()> {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    while !seen.ends_with(b"\r\n") || memchr::memmem::find(&seen, text).is_none() {
        let count = from.read(&mut piece).map_err(|e| format!("awaiting the server: {e}"))?;
        seen.extend_from_slice(&piece[..count]);
        if count == 0 || memchr::memmem::find(&seen, b"-ERR").is_some() {
            return Err(format!("the server refuses: {}", seen.escape_ascii()));
        }
    }
    Ok(())
}

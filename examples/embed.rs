//! A server inside another program: started, used, shut down.
//!
//! ```text
//! cargo run --example embed
//! ```
//!
//! The server runs on the program's own tokio runtime. Its options are a plain value; what a
//! configuration file can say can be set in it, and [`Server::reload_options`] takes another one
//! while clients stay connected. Here two clients talk to it over TCP in the protocol's own
//! words; any NATS client library does the same through `server.client_addr()`.

// The example is a client, which is not bound to the server's rules.
#![allow(clippy::disallowed_types)]

use nats_server::{Options, Server};
use std::error::Error;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    options.host = "127.0.0.1".to_owned();
    // The system chooses a free port, and the log stays out of this program's own output.
    options.port = -1;
    options.no_log = true;

    let server = Server::start(options).await?;
    let address = server.client_addr().ok_or("the server does not listen")?;
    println!("{} listens on {address}", server.name());

    let mut subscriber = Client::connect(address).await?;
    subscriber.send("SUB greet.* 1\r\nPING\r\n").await?;
    // PONG says that everything before it was processed: the subscription stands.
    assert_eq!(subscriber.line().await?, "PONG");

    let mut publisher = Client::connect(address).await?;
    publisher.send("PUB greet.world 5\r\nhello\r\n").await?;

    let (head, payload) = (subscriber.line().await?, subscriber.line().await?);
    println!("received {payload:?} by {head:?}");
    assert_eq!((head.as_str(), payload.as_str()), ("MSG greet.world 1 5", "hello"));

    // Closes every connection and returns once nothing of the server runs any more.
    server.shutdown().await;
    println!("ended after {:?}", server.uptime());
    Ok(())
}

/// As little of a client as this takes.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(address: std::net::SocketAddr) -> std::io::Result<Self> {
        let mut client = Self(BufReader::new(TcpStream::connect(address).await?));
        // The server speaks first: INFO.
        client.line().await?;
        client.send("CONNECT {\"verbose\":false}\r\n").await?;
        Ok(client)
    }

    async fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes()).await
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        Ok(line.trim_end().to_owned())
    }
}

//! A server that accepts, greets with INFO and answers PING, and knows nothing else.
//!
//! A case that passes against it asserts nothing about a server; `conformance negative` finds
//! such cases.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::Outcome;

/// Serves until it is killed. The ports file is all it has in common with the arguments of a
/// real server.
pub(crate) fn serve(args: &[String]) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let folder = args.iter().position(|arg| arg == "--ports_file_dir").map(|at| &args[at + 1]);
    if let Some(folder) = folder {
        let path = format!("{folder}/fake_{}.ports", std::process::id());
        fs::write(path, format!(r#"{{"nats":["nats://127.0.0.1:{port}"]}}"#))?;
    }
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || greet(&stream, port));
    }
}

fn greet(mut stream: &TcpStream, port: u16) -> std::io::Result<()> {
    let info = format!(
        r#"{{"server_id":"FAKE","version":"2.15.1","proto":1,"host":"127.0.0.1","port":{port},"headers":true,"max_payload":1048576}}"#
    );
    stream.write_all(format!("INFO {info}\r\n").as_bytes())?;
    for line in BufReader::new(stream).lines() {
        if line?.eq_ignore_ascii_case("ping") {
            stream.write_all(b"PONG\r\n")?;
        }
    }
    Ok(())
}

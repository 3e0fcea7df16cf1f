//! A monitoring request: HTTP/1.1, one request per connection.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tls::TlsClient;
use super::{PATIENCE, patience};

/// An answer of the monitoring port.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case, in the order received.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }
}

/// The paths of all values of a document and their types, one a line, sorted: what stays the same
/// when names, times and counts differ. Elements of an array count as one.
pub(crate) fn shape(document: &Value) -> String {
    fn walk(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        let kind = match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    walk(value, &format!("{path}.{name}"), found);
                }
                "object"
            }
            Value::Array(items) => {
                items.iter().for_each(|item| walk(item, &format!("{path}[]"), found));
                "array"
            }
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
        };
        if !path.is_empty() {
            found.insert(format!("{}: {kind}", path.trim_start_matches('.')));
        }
    }
    let mut found = BTreeSet::new();
    walk(document, "", &mut found);
    found.into_iter().collect::<Vec<_>>().join("\n")
}

/// `GET path` from a monitoring port, over TLS where that is given. `headers` are whole lines,
/// each with its line end.
pub(crate) async fn get(
    addr: SocketAddr,
    tls: Option<&TlsClient>,
    path: &str,
    headers: &str,
) -> Response {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{headers}\r\n");
    let answer = async {
        let stream = TcpStream::connect(addr).await?;
        match tls {
            None => exchange(stream, &request).await,
            Some(tls) => exchange(tls.handshake(stream).await?, &request).await,
        }
    };
    let bytes = tokio::time::timeout(patience(PATIENCE), answer)
        .await
        .unwrap_or_else(|_| panic!("GET {path}: no answer"))
        .unwrap_or_else(|error| panic!("GET {path}: {error}"));
    parse(&bytes).unwrap_or_else(|| {
        panic!("GET {path}: not an HTTP response: {:?}", String::from_utf8_lossy(&bytes))
    })
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> std::io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes).await {
        // Go's TLS servers close without a closing alert.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(bytes),
    }
}

fn parse(bytes: &[u8]) -> Option<Response> {
    let head_end = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..head_end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &bytes[head_end + 4..];
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value.eq_ignore_ascii_case("chunked"));
    let body = if chunked { dechunk(body)? } else { body.to_vec() };
    Some(Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = memchr::memmem::find(rest, b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line_end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        rest = &rest[line_end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
